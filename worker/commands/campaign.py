"""`campaign`: what became of a campaign's messages, and its recipients."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import IO, TYPE_CHECKING

import msgspec

from schemas.campaign import CampaignValue
from schemas.vocabulary import System
from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.one_contact import asked_names
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.commands.support.whole_output import opened_output
from worker.errors import WrongUsage
from worker.policy.campaign_names import campaign_name_in
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.campaigns import CampaignAnswer, CampaignRecipientView, KnownCampaign
    from worker.store.pool import Pool

_NEEDS = ("postgres",)
_AT_ONCE = 5_000
_HEADINGS = ("address", "channel", "value", "since", "first report")


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
How many recipients of a campaign have each value: sent, delivered, opened and so on. With --value its recipients that
have this one, a row for each, as they are read: all of them with --value sent. campaign_from of a source says
which field of its webhooks names the campaign. Exit code 1 if no event names the campaign.

examples:
  bouncekeeper campaign spring-2026
  bouncekeeper campaign spring-2026 --value hard_bounced
  bouncekeeper campaign spring-2026 --value sent --json --output recipients.jsonl
"""
    parser.add_argument("campaign", metavar="ID", help="the campaign's id at whoever sent it")
    parser.add_argument("--account", default="default", help="(default %(default)s)")
    parser.add_argument(
        "--value",
        choices=[value.value for value in CampaignValue],
        help="lists the recipients that have this value",
    )
    parser.add_argument(
        "--names", choices=[system.value for system in System], help="also shows the name of each value in this system"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="with --value: it appears when all rows are written (default: stdout)"
    )
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    if arguments.output is not None and arguments.value is None:
        raise WrongUsage("--output is for the recipients: add --value, or --value sent for all of them")
    return asyncio.run(_tell(settings, arguments))


async def _tell(settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.account import require_account  # noqa: PLC0415 - these cost time that --help has not
    from worker.commands.support.database import opened_database  # noqa: PLC0415
    from worker.contacts.campaigns import campaign_report, known_campaign  # noqa: PLC0415

    async with opened_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        # Asked first, or a slip of the pen would put an empty file in the place of a good one.
        campaign = await known_campaign(pool, arguments.account, arguments.campaign)
        if campaign is not None:
            if arguments.value is None:
                _print(await campaign_report(pool, campaign), arguments)
            else:
                with opened_output(arguments.output) as output:
                    await _write_recipients(pool, campaign, arguments, output)
            return ExitCode.OK
    if arguments.json:
        print_json({"campaign": arguments.campaign, "account": arguments.account, "known": False})
    else:
        print_line(
            f"no event names a campaign {arguments.campaign!r} in account {arguments.account}: see campaign_from"
            " in docs/configuration.md"
        )
    return ExitCode.NO


def _print(report: "CampaignAnswer", arguments: Namespace) -> None:
    if arguments.json:
        print_json(report)
        return
    names = asked_names(arguments)
    headings = ("value", "recipients") if names is None else ("value", "recipients", f"in {names}")
    rows = [
        (value.value, count) if names is None else (value.value, count, campaign_name_in(names, value))
        for value, count in report.recipients.items()
    ]
    print_table(headings, rows)


async def _write_recipients(pool: "Pool", campaign: "KnownCampaign", arguments: Namespace, output: IO[str]) -> None:
    """Writes a row for each recipient, page by page."""
    from worker.contacts.campaigns import recipients_of  # noqa: PLC0415 - costs time that --help has not

    value, names = CampaignValue(arguments.value), asked_names(arguments)
    after: int | None = 0
    encode = msgspec.json.Encoder().encode
    while after is not None:
        page = await recipients_of(pool, campaign, value=value, after=after, limit=_AT_ONCE, names=names)
        if after == 0 and not arguments.json:
            output.write("\t".join(_HEADINGS if names is None else (*_HEADINGS, f"in {names}")) + "\n")
        if arguments.json:
            output.writelines(f"{encode(recipient).decode()}\n" for recipient in page.recipients)
        else:
            output.writelines("\t".join(_cells(recipient, value, names)) + "\n" for recipient in page.recipients)
        after = page.next
    output.flush()


def _cells(recipient: "CampaignRecipientView", value: CampaignValue, names: System | None) -> tuple[str, ...]:
    since = recipient.first_at if value is CampaignValue.SENT else getattr(recipient, f"{value}_at")
    row = (recipient.address, recipient.channel, recipient.value, moment(since), moment(recipient.first_at))
    return row if names is None else (*row, recipient.name or "")


COMMANDS = {"campaign": Command(_configure, _run)}

"""`check`: may I write to these addresses?"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel, MailClass
from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import REACHED, moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.store.pool import Pool

_NEEDS = ("postgres",)
_DEFAULT_ACCOUNT = "default"


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Says for each address or phone number whether you may send to it, and why not. Exit code 0 if you may send to
all, 1 if not. You may send to an address that nobody ever reported on. An account that does not
exist is a mistake: exit code 1. If the database is away, do not send: exit code 4.

examples:
  bouncekeeper check jane@example.org
  bouncekeeper check --for transactional jane@example.org john@example.net
  bouncekeeper check --channel sms +491701234567
  cut -d, -f1 recipients.csv | bouncekeeper check - --json
"""
    parser.add_argument(
        "addresses", nargs="+", metavar="ADDRESS", help="an e-mail address, or a phone number; - reads them from stdin"
    )
    parser.add_argument(
        "--for",
        dest="mail_class",
        choices=[mail_class.value for mail_class in MailClass],
        default=MailClass.MARKETING.value,
        help="the kind of message (default %(default)s)",
    )
    parser.add_argument("--account", default=_DEFAULT_ACCOUNT, help="(default %(default)s)")
    parser.add_argument(
        "--channel",
        choices=[channel.value for channel in Channel],
        default=Channel.EMAIL.value,
        help="how they are reached; on sms an address is a phone number such as +491701234567 (default %(default)s)",
    )
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    addresses = [address for word in arguments.addresses for address in _addresses(word)]
    return asyncio.run(_check(settings, addresses, arguments))


def _addresses(word: str) -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()] if word == "-" else [word]


async def _check(settings: Settings, addresses: list[str], arguments: Namespace) -> int:
    from worker.commands.support.account import require_account  # noqa: PLC0415
    from worker.commands.support.database import opened_database  # noqa: PLC0415
    from worker.contacts.check import check_addresses  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.policies import Policies  # noqa: PLC0415

    async with opened_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        answer = await check_addresses(
            pool,
            addresses,
            mail_class=MailClass(arguments.mail_class),
            policies=Policies(settings.policy),
            now=datetime.now(UTC),
            account=arguments.account,
            channel=Channel(arguments.channel),
        )
        unknown = [result.address for result in answer.results if result.allowed and not result.known]
        # A caller who names no account may not know that there are several: this "yes" would surprise him.
        asks_elsewhere = arguments.account == _DEFAULT_ACCOUNT and unknown
        elsewhere = await _known_elsewhere(pool, unknown, Channel(arguments.channel)) if asks_elsewhere else ""
    if arguments.json:
        print_json(answer)
    else:
        print_table(
            ("address", "send?", "status", "reason", "since", "until"),
            [
                (
                    result.address,
                    "yes" if result.allowed else "NO",
                    result.status or "not an address",
                    result.reason,
                    moment(result.since),
                    moment(result.until),
                )
                for result in answer.results
            ],
        )
        if len(answer.results) > 1:
            may = f"may be {REACHED[arguments.channel]} ({answer.mail_class})"
            print_line(f"{answer.allowed} {may}, {answer.forbidden} may not")
    sys.stderr.write(elsewhere)
    return ExitCode.NO if answer.forbidden else ExitCode.OK


async def _known_elsewhere(pool: "Pool", addresses: list[str], channel: Channel) -> str:
    """A hint if another account knows one of the addresses, else ""."""
    from worker.store.contact_lookup import find_elsewhere  # noqa: PLC0415

    spellings = [spelling for address in addresses if (spelling := normalise_recipient(address, channel)) is not None]
    for address, account in await find_elsewhere(pool, _DEFAULT_ACCOUNT, channel, spellings, limit=1):
        return (
            f"bouncekeeper: this answer is about account {_DEFAULT_ACCOUNT}, but {address} is known in account"
            f" {account}: ask again with --account {account}\n"
        )
    return ""


COMMANDS = {"check": Command(_configure, _run)}

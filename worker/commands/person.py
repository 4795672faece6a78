"""`person`: the addresses of one person, and where each stands."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.people import PersonReport

_NEEDS = ("postgres",)


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
The addresses of a person, by the id in your system that `add --person` has told, each with its status and what it
forbids. Exit code 0 if somebody told of such a person, 1 if nobody did.

examples:
  bouncekeeper person 4711
  bouncekeeper person 4711 --account shop-eu --json
"""
    parser.add_argument("person", metavar="ID", help="the person's id in your system")
    parser.add_argument("--account", default="default", help="(default %(default)s)")
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    report = asyncio.run(_read(settings, arguments))
    if report is None:
        if arguments.json:
            print_json({"person": arguments.person, "account": arguments.account, "addresses": []})
        else:
            print_line(f"{arguments.person}: there is no such person in account {arguments.account}")
        return ExitCode.NO
    if arguments.json:
        print_json(report)
    else:
        print_table(
            ("field", "address", "channel", "status", "forbids", "since", "why"),
            [
                (
                    one.field or "",
                    one.address,
                    one.channel,
                    one.status,
                    ", ".join(one.forbids) or "nothing",
                    moment(one.since),
                    one.sentence,
                )
                for one in report.addresses
            ],
        )
    return ExitCode.OK


async def _read(settings: Settings, arguments: Namespace) -> "PersonReport | None":
    from worker.commands.support.account import require_account  # noqa: PLC0415 - all of these cost time that --help has not
    from worker.commands.support.database import opened_database  # noqa: PLC0415
    from worker.contacts.people import find_person  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415

    async with opened_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        policies = Policies(settings.policy)
        return await find_person(pool, arguments.account, arguments.person, policies=policies, now=datetime.now(UTC))


COMMANDS = {"person": Command(_configure, _run)}

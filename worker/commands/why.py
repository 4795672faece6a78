"""`why`: may I mail this address, and why not, in five words and one sentence."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel
from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.one_contact import add_contact_arguments, no_address, not_known, report_of
from worker.commands.support.output import print_json, print_line
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.report import ContactReport

_NEEDS = ("postgres",)


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
The short answer, for whoever has the person on the telephone: may this address be mailed, and why or why not, in at
most five words; then one sentence with what led to it, and one with what ends it. `explain` tells the whole story.
Exit code 0 if you may send everything to it, 1 if not or if it is not known.

examples:
  bouncekeeper why jane@example.org
  bouncekeeper why jane@example.org --names kartra
  bouncekeeper why jane@example.org --json | jq -r .short
"""
    add_contact_arguments(parser)
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    address = normalise_recipient(arguments.address, Channel(arguments.channel))
    report = no_address(arguments) if address is None else asyncio.run(_read(settings, address, arguments))
    if isinstance(report, str):
        if arguments.json:
            print_json({"address": arguments.address, "known": False, "detail": report})
        else:
            print_line(f"{arguments.address} {report}")
        return ExitCode.NO
    if arguments.json:
        print_json(
            {
                "address": report.address,
                "known": True,
                "short": report.short,
                "why": report.why,
                "lifts": report.lifts,
                "status": report.status,
                "name": report.name,
                "forbids": report.forbids,
            }
        )
    else:
        print_line(report.short, style="bold")
        print_line(report.why)
        print_line(report.lifts)
        if report.name is not None:
            print_line(f"{report.status} is called {report.name!r} in {arguments.names}.")
    return ExitCode.OK if report.blocks == "none" else ExitCode.NO


async def _read(settings: Settings, address: str, arguments: Namespace) -> "ContactReport | str":
    """The report, or why there is none."""
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not

    async with opened_database(settings) as pool:
        report = await report_of(pool, settings, address, arguments, now=datetime.now(UTC))
        return await not_known(pool, address, arguments) if report is None else report


COMMANDS = {"why": Command(_configure, _run)}

"""`migrate`: brings the database to this program's version."""

import asyncio
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import print_json, print_line
from worker.commands.support.progress_bar import progress_bar
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.process.logs import configure_logging, get_logger
from worker.settings.configuration import ALL_SECTIONS

if TYPE_CHECKING:
    from worker.commands.support.upgrade import Upgrade

log = get_logger()

_NEEDS = ("postgres",)
_WORTH_A_BAR = 100_000


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Applies the SQL files of schemas/database that this database has not seen, in order. Then contacts that a
former version stored under another spelling of their address get today's; two that are one are joined, with the
events of both. Safe to run at any time, beside processors and by several at once, and to be killed: the next run
goes on. Run it before the new version's processes start.

examples:
  bouncekeeper migrate --dry-run       what would be done; exit code 1 when there is anything
  bouncekeeper migrate
"""
    parser.add_argument("--dry-run", action="store_true", help="says what would be done and changes nothing")
    parser.add_argument(
        "--require-whole-configuration",
        action="store_true",
        help="first checks all of it, every source's secrets too, so that what is started after this has what it needs;"
        " exit code 3 if something is wrong",
    )
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    from worker.commands.support.upgrade import needed_upgrade, upgrade_database  # noqa: PLC0415 - time that --help has not

    settings = settings_of(arguments, needs=ALL_SECTIONS if arguments.require_whole_configuration else _NEEDS)
    # A bar and the lines of a log would be in each other's way.
    configure_logging(
        level="warning" if sys.stderr.isatty() else settings.logs.level,
        json_lines=settings.logs.format == "json",
        show_addresses=settings.logs.show_addresses,
        process="migrate",
    )
    started = time.monotonic()
    if arguments.dry_run:
        upgrade = asyncio.run(needed_upgrade(settings))
    else:
        with (
            progress_bar("events", least=_WORTH_A_BAR) as of_events,
            progress_bar("contacts", least=_WORTH_A_BAR) as of_contacts,
        ):
            upgrade = asyncio.run(upgrade_database(settings, of_events=of_events, of_contacts=of_contacts))
    seconds = round(time.monotonic() - started, 3)
    if arguments.json:
        print_json(
            {
                "dry_run": arguments.dry_run,
                "migrations": upgrade.migrations,
                "events": upgrade.events,
                "contacts": upgrade.contacts,
                "seconds": seconds,
            }
        )
    elif arguments.dry_run or settings.logs.format != "json" or sys.stdout.isatty():
        for line in _lines(upgrade, dry_run=arguments.dry_run):
            print_line(line)
    else:  # a container, whose every line is read by machines
        log.info(
            "database.upgraded",
            migrations=upgrade.migrations,
            events=upgrade.events,
            renamed=upgrade.contacts.renamed,
            joined=upgrade.contacts.joined,
            seconds=seconds,
        )
    return ExitCode.NO if arguments.dry_run and upgrade.is_needed else ExitCode.OK


def _lines(upgrade: "Upgrade", *, dry_run: bool) -> Iterator[str]:
    contacts = upgrade.contacts
    if upgrade.migrations:
        yield f"{'would apply' if dry_run else 'applied'}: {', '.join(upgrade.migrations)}"
    if upgrade.events:
        yield (
            f"about {upgrade.events:,} events would be converted to the shape of this version; no processor works until"
            " they are, and a million takes a minute or two"
            if dry_run
            else f"events converted to the shape of this version: {upgrade.events:,}"
        )
    if contacts.renamed or contacts.joined:
        yield (
            f"contacts under another spelling of their address: {contacts.renamed} {'would be ' * dry_run}renamed,"
            f" {contacts.joined} {'would be ' * dry_run}joined with the one that has it"
        )
    if contacts.no_address:
        yield f"contacts whose address names no mailbox: {contacts.no_address}; they stay, and are never found"
    if not upgrade.is_needed:
        yield "the database is up to date"


COMMANDS = {"migrate": Command(_configure, _run)}

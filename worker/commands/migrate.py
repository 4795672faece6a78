"""`migrate`: the database is at this program's version afterwards."""

import asyncio
from argparse import ArgumentParser, Namespace

from worker.commands.catalogue import Command
from worker.commands.exit_code import ExitCode
from worker.commands.output import print_json, print_line
from worker.commands.setting_flags import add_setting_flags, add_shared_flags, settings_of

_NEEDS = ("postgres",)


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Applies the SQL files of schemas/database that this database has not seen, in order.
Safe to run at any time and by several at once: one waits for the other. Run it before the new version's
processes start.

examples:
  bouncekeeper migrate --dry-run       which files would be applied; exit code 1 when there are any
  bouncekeeper migrate
"""
    parser.add_argument("--dry-run", action="store_true", help="says what would be applied and changes nothing")
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    from worker.store.migrations import migrate  # noqa: PLC0415 - costs time that --help has not

    settings = settings_of(arguments, needs=_NEEDS)
    names = asyncio.run(migrate(settings.postgres.url.reveal(), dry_run=arguments.dry_run))
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, "migrations": names})
    elif not names:
        print_line("the database is up to date")
    else:
        print_line(f"{'would apply' if arguments.dry_run else 'applied'}: {', '.join(names)}")
    return ExitCode.NO if arguments.dry_run and names else ExitCode.OK


COMMANDS = {"migrate": Command(_configure, _run)}

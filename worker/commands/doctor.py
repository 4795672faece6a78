"""`doctor`: what is missing or unreachable, and the remedy."""

import asyncio
from argparse import ArgumentParser, Namespace

from worker.commands.catalogue import Command
from worker.commands.support.doctor_secret_files import look_at_secret_files
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.finding import Finding, Level, wrong
from worker.commands.support.output import print_json, print_line
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import ImpossibleSetting
from worker.settings.configuration import ALL_SECTIONS
from worker.settings.values import UnreadableFile

_MARKS = {Level.WELL: ("✓", "green"), Level.NOTE: ("!", "yellow"), Level.WRONG: ("✗", "bold red")}


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Checks the configuration, every source's keys, description and mailbox, the DNS if signatures are verified,
the receiver, the queue, Postgres, the schema, the monthly tables, dead letters, status changes that are not
published yet, the API, the mail server of the daily summary up to its login, the collector of traces, and the disk.
Says what is wrong and what to do. Changes nothing and sends nothing.
If it cannot read a file with a secret, it says so, and looks at all that does not depend on it.
Exit code 0 if nothing is wrong, 1 if something is, 3 if the configuration is impossible.

examples:
  bouncekeeper doctor
  bouncekeeper doctor --json | jq '.findings[] | select(.level == "wrong")'
"""
    add_shared_flags(parser)
    add_setting_flags(parser, ALL_SECTIONS)


def _run(arguments: Namespace) -> int:
    from worker.commands.support.doctor_checks import look_at_everything  # noqa: PLC0415 - only when it runs

    unreadable_files: list[UnreadableFile] = []
    try:
        settings = settings_of(arguments, unreadable_files=unreadable_files)
    except ImpossibleSetting as error:
        findings = [
            *look_at_secret_files(unreadable_files, ready=()),
            wrong("configuration", str(error), "correct it, then run doctor again"),
        ]
        status = ExitCode.IMPOSSIBLE_SETTING
    else:
        findings = asyncio.run(look_at_everything(settings, unreadable_files))
        status = ExitCode.NO if any(finding.level is Level.WRONG for finding in findings) else ExitCode.OK
    if arguments.json:
        print_json({"well": status == ExitCode.OK, "findings": findings})
    else:
        for finding in findings:
            _print(finding)
    return status


def _print(finding: Finding) -> None:
    mark, style = _MARKS[finding.level]
    print_line(f"{mark} {finding.what}: {finding.detail}", style=style if finding.level is not Level.WELL else None)
    if finding.remedy:
        print_line(f"    → {finding.remedy}")


COMMANDS = {"doctor": Command(_configure, _run)}

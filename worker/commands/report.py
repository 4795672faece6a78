"""`report`: what happened to contacts within a span of time, as one HTML file."""

import asyncio
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime, timedelta

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import print_json, print_line
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, seconds_argument, settings_of
from worker.commands.support.whole_output import opened_output
from worker.errors import WrongUsage
from worker.policy.duration import read_duration
from worker.settings.tree import Settings

_NEEDS = ("postgres",)
_TIMEOUT_SECONDS = 300.0


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Writes one HTML file about a span of time: bounces by cause, contacts blocked and freed, and which providers, mail
domains and sources the bounces are of, each as a chart with its table, and how much it was in the span before. The
file needs nothing else, can be printed, and holds no address. Made from the database as of one moment; it changes
nothing there. With --json the same numbers.

examples:
  bouncekeeper report --since 7d --output report.html
  bouncekeeper report --since 2030-01-01 --until 2030-02-01 --account shop-eu --output january.html
  bouncekeeper report --since 30d --json
"""
    parser.add_argument(
        "--since", type=_since, default="7d", metavar="TIME", help="7d, 12h, 2030-01-31, 2030-01-31T12:00Z (default 7d)"
    )
    parser.add_argument(
        "--until", type=_until, metavar="TIME", help="up to then, and not including it: 2030-01-31 (default: now)"
    )
    parser.add_argument("--account", help="the contacts of this account alone")
    parser.add_argument("--output", metavar="FILE", help="it appears when it is whole (default: stdout)")
    parser.add_argument(
        "--timeout-seconds",
        type=seconds_argument,
        default=_TIMEOUT_SECONDS,
        metavar="N",
        help="Postgres gives a statement up after that (default %(default)g)",
    )
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    since, until = span_of(arguments.since, arguments.until, now=datetime.now(UTC))
    if arguments.output is None and not arguments.json and sys.stdout.isatty():
        raise WrongUsage("the report is an HTML file: give --output report.html, or --json")
    return asyncio.run(_with_database(settings, arguments, since, until))


def span_of(since: timedelta | datetime, until: datetime | None, *, now: datetime) -> tuple[datetime, datetime]:
    """The span that the flags ask for. Raises WrongUsage."""
    from worker.contacts.period_report import EARLIEST  # noqa: PLC0415 - costs time that --help has not

    end = min(until or now, now)
    try:
        begin = end - since if isinstance(since, timedelta) else since
    except OverflowError:
        begin = datetime.min.replace(tzinfo=UTC)
    if begin < EARLIEST:
        raise WrongUsage(f"--since is before {EARLIEST.date()}: give a later time")
    if begin >= end:
        raise WrongUsage("--since is not before --until, or is in the future: nothing lies between them")
    return begin, end


async def _with_database(settings: Settings, arguments: Namespace, since: datetime, until: datetime) -> int:
    from worker.commands.support.account import require_account  # noqa: PLC0415 - these cost time that --help has not
    from worker.commands.support.database import opened_database  # noqa: PLC0415
    from worker.commands.support.report_page import report_page  # noqa: PLC0415
    from worker.contacts.period_report import period_report  # noqa: PLC0415

    async with opened_database(settings, command_timeout_seconds=arguments.timeout_seconds) as pool:
        if arguments.account is not None:
            await require_account(pool, settings, arguments.account)
        report = await period_report(
            pool,
            since=since,
            until=until,
            account=arguments.account,
            timeout_seconds=arguments.timeout_seconds,
        )
    if arguments.json:
        print_json(report)
        return ExitCode.OK
    page = report_page(report, made_at=datetime.now(UTC))
    with opened_output(arguments.output) as output:
        output.write(page)
    if arguments.output is not None:
        print_line(f"{arguments.output} is written: open it in a browser")
    return ExitCode.OK


def _since(text: str) -> timedelta | datetime:
    try:
        duration = read_duration(text)
    except ValueError:
        return _until(text)
    if duration is None:
        raise ArgumentTypeError("forever is not a span: give a time such as 2030-01-31")
    return duration


def _until(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time such as 7d, 2030-01-31 or 2030-01-31T12:00Z") from error
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


COMMANDS = {"report": Command(_configure, _run)}

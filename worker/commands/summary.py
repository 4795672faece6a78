"""`summary`: what an account's daily summary tells, and sending what is due now."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_to_copy
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import ImpossibleSetting, WrongUsage
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.daily_summary import SummaryView

_NEEDS = ("postgres", "summary")


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Once a day, at summary.hour in the account's time zone, the processors mail its recipients which safelist requests were
approved and declined since the last summary. This shows what the next one tells so far, or with --date what that day's
told, and what became of each mail. Exit code 1 if there is nothing to tell.

examples:
  bouncekeeper summary
  bouncekeeper summary --account shop-eu --date 2030-01-31
  bouncekeeper summary --send        what a processor does at the hour, now, if the hour has come
"""
    parser.add_argument("--account", default="default", help="(default %(default)s)")
    parser.add_argument("--date", type=_date, metavar="DATE", help="a date in the account's time zone, as 2030-01-31")
    parser.add_argument(
        "--send", action="store_true", help="makes and sends what is due of the account: nothing is sent twice"
    )
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS if arguments.send else ("postgres",))
    if arguments.send and arguments.date is not None:
        raise WrongUsage("--send sends what is due now: leave out --date")
    if arguments.send and not settings.summary.smtp_host:
        raise ImpossibleSetting("summary.smtp_host is not set: name the server that takes the mails")
    return asyncio.run(_with_database(settings, arguments))


async def _with_database(settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.account import require_account  # noqa: PLC0415 - these cost time that --help has not
    from worker.commands.support.database import opened_database  # noqa: PLC0415
    from worker.commands.support.person import log_acts  # noqa: PLC0415
    from worker.contacts.daily_summary import local_date_of, summary_view  # noqa: PLC0415
    from worker.jobs.summary_sender import SummarySender  # noqa: PLC0415

    log_acts(settings, "summary")
    now = datetime.now(UTC)
    async with opened_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        local_date: date | None = arguments.date
        if arguments.send:
            await SummarySender(pool, settings.summary).work_off(asyncio.Event(), account=arguments.account)
            local_date = await local_date_of(pool, arguments.account, now=now)
        view = await summary_view(pool, arguments.account, local_date=local_date, now=now)
    if arguments.json:
        print_json(view)
    else:
        _print(view, local_date=local_date)
    return ExitCode.NO if view.text is None else ExitCode.OK


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no date: write it as 2030-01-31") from error


def _print(view: "SummaryView", *, local_date: date | None) -> None:
    if view.text is None or view.subject is None:
        when = "the next summary" if local_date is None else f"the summary of {local_date.isoformat()}"
        print_line(f"nothing to tell: no request was decided for {when} of {view.account}")
        return
    state = "not made yet: it may still grow" if view.made_at is None else f"made on {moment(view.made_at)}"
    print_line(f"{view.subject} ({state})", style="bold")
    print_line("")
    print_to_copy(view.text.rstrip("\n"))
    for mail in view.mails:
        answer = f": {mail.answer}" if mail.answer else ""
        print_line(f"{mail.recipient}: {mail.state}, attempt {mail.attempts}, {moment(mail.changed_at)}{answer}")


COMMANDS = {"summary": Command(_configure, _run)}

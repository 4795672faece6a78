"""`jobs`: long work in the background, how far it is, and how to end it."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.commands.catalogue import Command
from worker.commands.support.actions import Actions
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.progress_bar import progress_bar
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, id_argument, settings_of
from worker.errors import RequestRefused
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.store.jobs import JobProgress
    from worker.store.pool import Pool

_NEEDS = ("postgres",)
_SHOWN = 50
_LOOK_SECONDS = 1.0
_ENDED = {"done", "cancelled", "failed"}


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Long work that the processors do beside live events, such as folding all contacts again after `policy apply`. Several
processors share a job; one that is killed leaves it where it was, and the others go on.

examples:
  bouncekeeper jobs list
  bouncekeeper jobs watch 3        waits until it has ended; exit code 1 unless it is done then
  bouncekeeper jobs cancel 3       what it has done until then stays done
"""
    actions = Actions(parser)
    listing = actions.add("list", f"the last {_SHOWN} jobs, the latest first")
    showing = actions.add("show", "one job: how far it is, and what it has counted")
    watching = actions.add("watch", "follows one job until it has ended; exit code 1 unless it is done then")
    cancelling = actions.add("cancel", "ends a job: no processor begins another step of it")
    for action in (showing, watching, cancelling):
        action.add_argument("id", type=id_argument, metavar="ID", help="as `jobs list` shows it")
    for action in (listing, showing, watching, cancelling):
        add_shared_flags(action)
        add_setting_flags(action, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    return asyncio.run(_with_database(settings, arguments))


async def _with_database(settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.commands.support.person import log_acts  # noqa: PLC0415

    log_acts(settings, "jobs")
    actions = {"list": _list, "show": _show, "watch": _watch, "cancel": _cancel}
    async with opened_database(settings) as pool:
        return await actions[arguments.action](pool, arguments)


async def _list(pool: "Pool", arguments: Namespace) -> int:
    from worker.store.jobs import list_jobs  # noqa: PLC0415 - costs time that --help has not

    jobs = await list_jobs(pool, limit=_SHOWN)
    if arguments.json:
        print_json({"jobs": jobs})
    elif jobs:
        headings = ("job", "kind", "state", "asked for", "by", "began", "ended")
        print_table(
            headings,
            [
                (job.id, job.kind, job.state, job.requested_at, job.requested_by, job.started_at, job.ended_at)
                for job in jobs
            ],
        )
    else:
        print_line("there was no job yet")
    return ExitCode.OK


async def _show(pool: "Pool", arguments: Namespace) -> int:
    _print(await _required(pool, arguments.id), arguments)
    return ExitCode.OK


async def _watch(pool: "Pool", arguments: Namespace) -> int:
    with progress_bar(f"job {arguments.id}", least=1) as progress:
        while (seen := await _required(pool, arguments.id)).job.state not in _ENDED:
            if progress is not None and seen.job.total:
                progress(seen.done, seen.job.total)
            await asyncio.sleep(_LOOK_SECONDS)
    _print(seen, arguments)
    return ExitCode.OK if seen.job.state == "done" else ExitCode.NO


async def _cancel(pool: "Pool", arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - costs time that --help has not
    from worker.jobs.cancellation import cancel  # noqa: PLC0415

    await _required(pool, arguments.id)
    cancelled = await cancel(pool, arguments.id, actor=person_here().name, now=datetime.now(UTC))
    if arguments.json:
        print_json({"job": arguments.id, "cancelled": cancelled})
    elif cancelled:
        print_line(f"job {arguments.id} is cancelled: steps that are under way end, and no other begins")
    else:
        print_line(f"job {arguments.id} has ended already")
    return ExitCode.OK if cancelled else ExitCode.NO


async def _required(pool: "Pool", job_id: int) -> "JobProgress":
    from worker.store.jobs import read_job  # noqa: PLC0415 - costs time that --help has not

    seen = await read_job(pool, job_id)
    if seen is None:
        raise RequestRefused("unknown-job", f"There is no job {job_id}.", remedy="See `bouncekeeper jobs list`.")
    return seen


def _print(seen: "JobProgress", arguments: Namespace) -> None:
    if arguments.json:
        print_json(seen)
        return
    job = seen.job
    print_line(f"job {job.id}, {job.kind}: {job.state}", style="bold")
    print_line(f"  asked for on {moment(job.requested_at)} by {job.requested_by}")
    for what, when in (("began", job.started_at), ("ended", job.ended_at)):
        if when is not None:
            print_line(f"  {what} on {moment(when)}")
    if job.cancelled_by is not None:
        print_line(f"  cancelled by {job.cancelled_by}")
    if job.error is not None:
        print_line(f"  failed with {job.error}: the processors' log has a line job.failed; please report it")
    if job.state == "running" and job.total:
        print_line(f"  {seen.done * 100 // job.total} % of round {job.round}")
    for name, count in sorted(seen.counts.items()):
        print_line(f"  {name.replace('_', ' ')}: {count}")


COMMANDS = {"jobs": Command(_configure, _run)}

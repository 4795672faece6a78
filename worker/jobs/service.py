"""Jobs, re-folds and daily summaries beside a processor: every processor's process works on them."""

import asyncio

from worker.contacts.policies import Policies
from worker.errors import MissingRight, SchemaOutOfDate, StoreUnavailable
from worker.jobs.pending import measure_pending
from worker.jobs.policy_job import PolicyJob
from worker.jobs.refolder import Refolder
from worker.jobs.runner import JobRunner
from worker.jobs.summary_sender import SummarySender
from worker.process.backlog import Backlog
from worker.process.backoff import Backoff
from worker.process.logs import get_logger
from worker.settings.tree import Settings
from worker.store.held_rights import HeldRights
from worker.store.readiness import schema_is_whole
from worker.store.writer_pool import ONE_PLAN, open_writer_pool

_log = get_logger()


async def run_jobs(settings: Settings, stop: asyncio.Event, backlog: Backlog) -> None:
    """Works on jobs until `stop` is set, and then finishes its step.

    Waits while Postgres is away or its tables are missing: the processor beside it says what is wrong. Waits for a
    right that is lost meanwhile. Raises ImpossibleSetting.
    """
    rights = HeldRights(settings.postgres.url.reveal())
    backoff = Backoff(first_seconds=0.2, longest_seconds=2.0)
    while not stop.is_set():
        try:
            if await schema_is_whole(settings.postgres.url.reveal()):
                await _work(settings, stop, backlog, rights)
        except MissingRight as error:
            await rights.wait_for_return(error, stop)
        except (SchemaOutOfDate, StoreUnavailable) as error:
            _log.warning("task.failed", task="jobs", reason=str(error), wait_seconds=backoff.seconds)
        await backoff.wait(stop)


async def _work(settings: Settings, stop: asyncio.Event, backlog: Backlog, rights: HeldRights) -> None:
    pool = await open_writer_pool(
        settings.postgres.url.reveal(),
        connections=3,  # for jobs, re-folds and summaries: a step never takes one from the batches
        command_timeout_seconds=settings.postgres.command_timeout_seconds,
        application_name="bouncekeeper jobs",
        server_settings=ONE_PLAN,
    )
    async with pool:
        await rights.note(pool)
        policies = Policies(settings.policy)
        kinds = [PolicyJob(policies)]
        runner = JobRunner(pool, {kind.name: kind for kind in kinds}, backlog=backlog)
        refolder = Refolder(pool, policies, backlog=backlog)
        summaries = SummarySender(pool, settings.summary)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(runner.run(stop))
                tasks.create_task(refolder.run(stop))
                tasks.create_task(summaries.run(stop))
                tasks.create_task(measure_pending(pool, stop))
        except ExceptionGroup as several:
            # What keeps one of them from working nearly always keeps the others.
            raise several.exceptions[0] from several

"""Works off jobs beside the live events: small steps, each a transaction, and a pause when others need the machine.

A step locks one part of a job, does a little of it, and notes the place it has reached, all in one transaction. So
several processes share a job without talking to each other, a process that is killed leaves nothing half done, and the
next step begins where the last committed one ended.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum, auto

from worker.contacts.refold_report import report_requested
from worker.contacts.status_change import report_changes
from worker.errors import StoreUnavailable
from worker.jobs.kind import JobKind
from worker.jobs.lookout import look_for_work, may_go_on
from worker.process import metrics
from worker.process.backlog import Backlog
from worker.process.logs import get_logger
from worker.process.pause import pause
from worker.store.jobs import (
    CANCELLED,
    DONE,
    FAILED,
    JobRow,
    begin_round,
    end_job,
    has_unfinished_parts,
    is_open,
    lock_job,
    lock_part,
    move_part,
    open_jobs,
    round_counts,
)
from worker.store.pool import WriterPool
from worker.store.sessions import transaction
from worker.store.writer_pool import writing

_log = get_logger()

_LOOK_SECONDS = 2.0  # between two looks for jobs
_BUSY_SECONDS = 0.2  # until the next try where other processes have all parts
_STEP_SECONDS = 0.05  # what a step should take: nobody waits longer for a contact that it has locked
_SLOWER = 1.5  # than the fastest steps lately: the machine has other work
# Below the fewest a step is busier with itself than with its work: on a machine under load each would take too long.
_FEWEST, _MOST = 100, 1000
_FIRST = 100
_RESTS = 0.25  # of each step's time
_RESTS_BESIDE_OTHERS = 1.5
_FORGETS = 1.02  # the fastest step's time grows by so much with each one, so that an odd one is forgotten


class _Outcome(Enum):
    WORKED = auto()
    BUSY = auto()  # others are at work on all that is left
    ENDED = auto()


class JobRunner:
    """Works on the jobs of the kinds it knows."""

    def __init__(
        self,
        pool: WriterPool,
        kinds: Mapping[str, JobKind],
        *,
        backlog: Backlog,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._kinds = kinds
        self._backlog = backlog
        self._clock = clock
        self._most = _FIRST
        self._fastest = float("inf")  # seconds for one of those that a step counts

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, and finishes its step then. Waits for Postgres while it is away."""
        await look_for_work(self.work_off, stop, task="jobs", every_seconds=_LOOK_SECONDS)

    async def work_off(self, stop: asyncio.Event) -> None:
        """Returns when no job is open that this process knows. Raises StoreUnavailable."""
        jobs = await open_jobs(self._pool)
        for name in self._kinds:
            metrics.JOBS_OPEN.labels(name).set(sum(job.kind == name for job in jobs))
        for job in jobs:
            kind = self._kinds.get(job.kind)
            if kind is not None:
                await self._work_off(job, kind, stop)

    async def _work_off(self, job: JobRow, kind: JobKind, stop: asyncio.Event) -> None:
        while await may_go_on(self._backlog, stop):
            try:
                outcome = await self._go_on(job, kind, stop)
            except (StoreUnavailable, asyncio.CancelledError):
                raise
            except Exception as error:  # noqa: BLE001 - a defect of ours must stop neither the processor nor other jobs
                await self._fail(job, error)
                return
            if outcome is _Outcome.ENDED:
                return
            if outcome is _Outcome.BUSY:
                await pause(stop, _BUSY_SECONDS)

    async def _go_on(self, job: JobRow, kind: JobKind, stop: asyncio.Event) -> _Outcome:
        started = time.monotonic()
        async with writing(self._pool, f"working on job {job.id}") as connection:
            part = await lock_part(connection, job.id)
            if part is not None:
                step = await kind.step(connection, job, part, self._most)
                await move_part(connection, part, place=step.place, counts=step.counts)
        if part is None:
            return await self._turn(job, kind)
        report_changes(step.changes)
        report_requested(step.requested_refolds)
        for what, count in step.counts.items():
            metrics.JOB_ITEMS.labels(job.kind, what).inc(count)
        took = time.monotonic() - started
        if step.done == self._most or took > _STEP_SECONDS:
            self._most = max(_FEWEST, min(_MOST, self._most * 2, round(self._most * _STEP_SECONDS / took)))
        await pause(stop, took * self._rests(step.done, took))
        return _Outcome.WORKED

    def _rests(self, done: int, took: float) -> float:
        """How long to rest after a step, as a part of its time."""
        if done < _FEWEST:
            return _RESTS
        seconds_for_one = took / done
        self._fastest = min(self._fastest * _FORGETS, seconds_for_one)
        return _RESTS_BESIDE_OTHERS if seconds_for_one > self._fastest * _SLOWER else _RESTS

    async def _turn(self, job: JobRow, kind: JobKind) -> _Outcome:
        """Ends the job, or begins its next round, if nobody else does and nothing is left of this one."""
        async with writing(self._pool, f"going on with job {job.id}") as connection:
            locked = await lock_job(connection, job.id)
            if locked is None:
                return _Outcome.BUSY if await is_open(connection, job.id) else _Outcome.ENDED
            if locked.cancelled_by is not None:
                counts = await end_job(connection, locked, CANCELLED, now=self._clock())
            else:
                if await has_unfinished_parts(connection, job.id):
                    return _Outcome.BUSY
                parts = await kind.divide(connection, locked, await round_counts(connection, job.id))
                if parts is None:
                    return _Outcome.BUSY
                if parts:
                    await begin_round(connection, locked, parts, now=self._clock())
                else:
                    counts = await end_job(connection, locked, DONE, now=self._clock())
        told = {"job_id": job.id, "kind": job.kind, "act_id": job.act_id}
        if locked.cancelled_by is not None:
            metrics.JOBS_ENDED.labels(job.kind, CANCELLED).inc()
            _log.info("job.cancelled", **told, actor=locked.cancelled_by, counts=counts)
            return _Outcome.ENDED
        if locked.started_at is None:  # also of a job that has nothing to do: each that ends has begun
            _log.info("job.started", **told, actor=locked.requested_by)
        if parts:
            return _Outcome.WORKED
        seconds = (self._clock() - (locked.started_at or self._clock())).total_seconds()
        metrics.JOBS_ENDED.labels(job.kind, DONE).inc()
        _log.info("job.ended", **told, actor=locked.requested_by, seconds=round(seconds, 3), counts=counts)
        return _Outcome.ENDED

    async def _fail(self, job: JobRow, error: Exception) -> None:
        _log.exception("job.failed", job_id=job.id, kind=job.kind, act_id=job.act_id, actor=job.requested_by)
        async with transaction(self._pool, f"ending job {job.id}") as connection:
            locked = await lock_job(connection, job.id)
            if locked is not None:
                await end_job(connection, locked, FAILED, now=self._clock(), error=type(error).__name__)
        if locked is not None:
            metrics.JOBS_ENDED.labels(job.kind, FAILED).inc()

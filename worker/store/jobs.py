"""Jobs as rows, and their parts. A part belongs to the transaction that has locked it.

So no process needs to give a sign of life: Postgres ends the transaction of a process that dies.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from worker.store.acts import finish_act
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row

PLANNED, RUNNING, DONE, CANCELLED, FAILED = "planned", "running", "done", "cancelled", "failed"


class JobRow(Row, frozen=True):
    """One job."""

    id: int
    kind: str
    plan: dict[str, Any]
    state: str
    round: int  # how often it was divided into parts
    total: int  # the approximate work of this round, in units of its kind
    requested_at: datetime
    requested_by: str
    act_id: int | None  # the act of the job
    started_at: datetime | None
    ended_at: datetime | None
    cancelled_by: str | None
    error: str | None
    counts: dict[str, int]  # of the rounds that have ended


class PartRow(Row, frozen=True):
    """A part of a job, locked by this transaction."""

    job_id: int
    number: int
    first: int
    last: int
    place: int  # the next one to do
    limited_to: str | None
    counts: dict[str, int]


class NewPart(Row, frozen=True):
    """A part from `first` to `last`, both included."""

    first: int
    last: int
    limited_to: str | None = None


class JobProgress(Struct, frozen=True, kw_only=True):
    """The progress of a job."""

    job: JobRow
    done: int  # of job.total
    counts: dict[str, int]  # of all rounds


_JOB = f"SELECT {JobRow.select_list()} FROM jobs"  # noqa: S608 - the column list is made of the names above
_INSERT = NamedStatement("""
    INSERT INTO jobs (kind, plan, state, requested_at, requested_by, act_id)
    VALUES (:kind, :plan, 'planned', :now, :by, :act_id) RETURNING id
""")
_END = NamedStatement("UPDATE jobs SET state = :state, ended_at = :now, error = :error WHERE id = :id")
_BEGIN_ROUND = NamedStatement("""
    UPDATE jobs SET state = 'running', round = round + 1, total = :total, started_at = coalesce(started_at, :now)
     WHERE id = :id
""")
_OPEN = f"{_JOB} WHERE state IN ('planned', 'running') ORDER BY id"
_LOCK_JOB = f"{_JOB} WHERE id = $1 AND state IN ('planned', 'running') FOR UPDATE SKIP LOCKED"
_LOCK_PART = f"""
    SELECT {PartRow.select_list("p")} FROM job_parts p
     WHERE p.job_id = $1 AND p.place <= p.last
       AND EXISTS (SELECT FROM jobs j WHERE j.id = p.job_id AND j.state = 'running' AND j.cancelled_by IS NULL)
     ORDER BY p.number LIMIT 1
       FOR UPDATE OF p SKIP LOCKED
"""  # noqa: S608 - as above
_ADD_PARTS = f"""
    INSERT INTO job_parts (job_id, number, first, last, place, limited_to)
    SELECT $1, p.place - 1, p.first, p.last, p.first, p.limited_to
      FROM {NewPart.unnest("p", first_parameter=2, with_place=True)}
"""  # noqa: S608 - as above
_MOVE_PART = NamedStatement(
    "UPDATE job_parts SET place = :place, counts = :counts WHERE job_id = :job_id AND number = :number"
)
_ALL_PARTS = f"SELECT {PartRow.select_list()} FROM job_parts WHERE job_id = $1 ORDER BY number"  # noqa: S608 - as above


async def insert_job(
    executor: Executor, kind: str, plan: Mapping[str, Any], *, now: datetime, by: str, act_id: int | None = None
) -> int:
    """Adds a job, in the caller's transaction if it has one; returns its id. Raises StoreUnavailable."""
    with store_errors("adding a job"):
        job_id: int = await executor.fetchval(*_INSERT(kind=kind, plan=plan, now=now, by=by, act_id=act_id))
    return job_id


async def list_jobs(executor: Executor, *, limit: int) -> list[JobRow]:
    """The jobs, latest first. Raises StoreUnavailable."""
    with store_errors("reading jobs"):
        return JobRow.rows(await executor.fetch(f"{_JOB} ORDER BY id DESC LIMIT $1", limit))


async def open_jobs(executor: Executor) -> list[JobRow]:
    """The jobs that have not ended, oldest first. Raises StoreUnavailable."""
    with store_errors("looking for jobs"):
        return JobRow.rows(await executor.fetch(_OPEN))


async def open_job_id(connection: Connection, kind: str) -> int | None:
    """The latest job of this kind that has neither ended nor been cancelled, or None."""
    job_id: int | None = await connection.fetchval(
        "SELECT max(id) FROM jobs WHERE kind = $1 AND state IN ('planned', 'running') AND cancelled_by IS NULL", kind
    )
    return job_id


async def read_job(executor: Executor, job_id: int) -> JobProgress | None:
    """One job and its progress, or None. Raises StoreUnavailable."""
    with store_errors("reading a job"):
        jobs = JobRow.rows(await executor.fetch(f"{_JOB} WHERE id = $1", job_id))
        parts = PartRow.rows(await executor.fetch(_ALL_PARTS, job_id)) if jobs else []
    if not jobs:
        return None
    (job,) = jobs
    done = sum(part.place - part.first for part in parts) if parts or job.state == RUNNING else job.total
    return JobProgress(job=job, done=0 if job.state == PLANNED else done, counts=_summed(job, parts))


async def cancel_job(executor: Executor, job_id: int, *, by: str) -> bool:
    """Cancels the job, so that no further step begins; False if it has ended or does not exist.

    Raises StoreUnavailable.
    """
    with store_errors("cancelling a job"):
        cancelled = await executor.fetchval(
            "UPDATE jobs SET cancelled_by = coalesce(cancelled_by, $2)"
            " WHERE id = $1 AND state IN ('planned', 'running') RETURNING true",
            job_id,
            by,
        )
    return bool(cancelled)


async def cancel_open_jobs(connection: Connection, kind: str, *, by: str) -> None:
    """Cancels all open jobs of this kind, so that no further step of them begins."""
    await connection.execute(
        "UPDATE jobs SET cancelled_by = coalesce(cancelled_by, $2) WHERE kind = $1 AND state IN ('planned', 'running')",
        kind,
        by,
    )


async def is_open(connection: Connection, job_id: int) -> bool:
    """True until the job has ended."""
    has_not_ended: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM jobs WHERE id = $1 AND state IN ('planned', 'running'))", job_id
    )
    return has_not_ended


async def lock_job(connection: Connection, job_id: int) -> JobRow | None:
    """Locks the job; None if it has ended, or while another process has it."""
    jobs = JobRow.rows(await connection.fetch(_LOCK_JOB, job_id))
    return jobs[0] if jobs else None


async def lock_part(connection: Connection, job_id: int) -> PartRow | None:
    """Locks a part with something left to do on which nobody works; None if there is none."""
    parts = PartRow.rows(await connection.fetch(_LOCK_PART, job_id))
    return parts[0] if parts else None


async def move_part(connection: Connection, part: PartRow, *, place: int, counts: Mapping[str, int]) -> None:
    """Stores the progress of a locked part; `counts` are those of this step."""
    total = dict(Counter(part.counts) + Counter(counts))
    await connection.execute(*_MOVE_PART(job_id=part.job_id, number=part.number, place=place, counts=total))


async def has_unfinished_parts(connection: Connection, job_id: int) -> bool:
    """True until all parts of this round are finished."""
    unfinished: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM job_parts WHERE job_id = $1 AND place <= last)", job_id
    )
    return unfinished


async def round_counts(connection: Connection, job_id: int) -> dict[str, int]:
    """The counts of this round so far."""
    total: Counter[str] = Counter()
    for part in PartRow.rows(await connection.fetch(_ALL_PARTS, job_id)):
        total.update(part.counts)
    return dict(total)


async def begin_round(connection: Connection, job: JobRow, parts: Sequence[NewPart], *, now: datetime) -> None:
    """Begins the next round of the locked job with these parts, and keeps its counts so far."""
    await _end_round(connection, job)
    await connection.execute(_ADD_PARTS, job.id, *NewPart.arrays(parts))
    total = sum(part.last - part.first + 1 for part in parts)
    await connection.execute(*_BEGIN_ROUND(id=job.id, total=total, now=now))


async def end_job(
    connection: Connection, job: JobRow, state: str, *, now: datetime, error: str | None = None
) -> dict[str, int]:
    """Ends the locked job in this state; returns its counts."""
    counts = await _end_round(connection, job)
    await connection.execute(*_END(id=job.id, state=state, now=now, error=error))
    if job.act_id is not None:
        await finish_act(connection, job.act_id, at=now)
    return counts


async def _end_round(connection: Connection, job: JobRow) -> dict[str, int]:
    # The lock waits for steps that are under way.
    parts = PartRow.rows(await connection.fetch(f"{_ALL_PARTS} FOR UPDATE", job.id))
    counts = _summed(job, parts)
    await connection.execute("UPDATE jobs SET counts = $2 WHERE id = $1", job.id, counts)
    await connection.execute("DELETE FROM job_parts WHERE job_id = $1", job.id)
    return counts


def _summed(job: JobRow, parts: Sequence[PartRow]) -> dict[str, int]:
    total = Counter(job.counts)
    for part in parts:
        total.update(part.counts)
    return dict(total)

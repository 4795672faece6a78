"""The job that folds contacts again: shared, cancelled, killed, behind live events; each contact exactly once."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from schemas.vocabulary import Cause, Kind
from tests.jobs.conftest import DAYS, NOW
from tests.schemas.feedback_events import START, make_event
from tests.waiting import stays, until
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import POLICY_JOB, Policies, apply_policy
from worker.jobs.kind import JobKind, Step
from worker.jobs.policy_job import PolicyJob
from worker.jobs.runner import JobRunner
from worker.policy.policy_file import preset
from worker.process.backlog import Backlog
from worker.store.jobs import NewPart, cancel_job, insert_job, list_jobs, read_job
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool, writing

Fill = Callable[[int], Awaitable[None]]
REPOSITORY = Path(__file__).parent.parent.parent
KILLS = 5
ESPS = preset("provider")


def runner(pool: WriterPool, backlog: Backlog | None = None) -> JobRunner:
    kind = PolicyJob(Policies(preset("recommended")), known_everywhere_seconds=0)
    return JobRunner(pool, {kind.name: kind}, backlog=backlog or Backlog())


async def apply(pool: WriterPool, first_account: str | None = None) -> int:
    job_id = (await apply_policy(pool, ESPS, now=NOW, by="jane", first_account=first_account)).job_id
    assert job_id is not None
    return job_id


def folded_again() -> float:
    return REGISTRY.get_sample_value("bouncekeeper_job_items_total", {"kind": "policy", "what": "contacts"}) or 0.0


async def require_each_once(pool: WriterPool, job_id: int, contacts: int) -> None:
    """All are folded under the active policy, those that it frees have one line for that, and the job says so."""
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE policy_id = 2 AND blocks = 'none'") == contacts
    lines = await pool.fetch("SELECT contact_id, count(*) AS n FROM status_changes WHERE actor = 'policy' GROUP BY 1")
    told = await pool.fetchval("SELECT count(DISTINCT contact_id) FROM status_changes WHERE actor = 'events'")
    assert (len(lines), {line["n"] for line in lines}) == (told, {1})
    seen = await read_job(pool, job_id)
    assert seen is not None
    assert (seen.job.state, seen.counts) == ("done", {"contacts": contacts, "status_changes": told})


async def test_every_contact_is_folded_again_once(pool: WriterPool, fill: Fill) -> None:
    await fill(300)
    job_id = await apply(pool)
    before = folded_again()

    await runner(pool).work_off(asyncio.Event())

    await require_each_once(pool, job_id, 300)
    assert folded_again() == before + 300


@pytest.mark.slow
async def test_two_processes_share_a_job(pool: WriterPool, database_dsn: str, fill: Fill) -> None:
    await fill(4000)
    job_id = await apply(pool)
    other = await open_writer_pool(database_dsn, connections=1, command_timeout_seconds=30)
    try:
        await asyncio.gather(*(runner(each).work_off(asyncio.Event()) for each in (pool, other)))
    finally:
        await other.close()

    await require_each_once(pool, job_id, 4000)


async def test_events_that_come_in_meanwhile_find_their_contacts(pool: WriterPool, fill: Fill) -> None:
    await fill(600)
    job_id = await apply(pool)
    rules = BatchRules(policies=Policies(preset("recommended")), oldest_kept=START - timedelta(days=400))

    async def live() -> None:
        for number in range(0, 600, 10):
            address = f"contact-{number}@example.org"
            account = "shop-eu" if number % 3 == 0 else "default"
            complaint = make_event(
                Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, day=DAYS[-1] + 0.5, address=address, account=account
            )
            async with writing(pool) as connection:
                await apply_events(connection, [complaint], rules=rules, now=NOW)

    await asyncio.gather(runner(pool).work_off(asyncio.Event()), live())

    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE policy_id = 2") == 600
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE status = 'complained'") == 60
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE blocks <> 'none'") == 60
    seen = await read_job(pool, job_id)
    assert seen is not None
    assert seen.job.state == "done"


async def test_the_contacts_of_the_named_account_come_first(pool: WriterPool, fill: Fill) -> None:
    await fill(1200)
    await apply(pool, first_account="shop-eu")

    await runner(pool).work_off(asyncio.Event())

    records = await pool.fetch(
        "SELECT c.account FROM status_changes s JOIN contacts c ON c.id = s.contact_id"
        " WHERE s.actor = 'policy' ORDER BY s.id"
    )
    accounts = [record["account"] for record in records]
    assert accounts == ["shop-eu"] * 400 + ["default"] * 800


async def test_a_cancelled_job_takes_no_other_step_and_keeps_what_it_did(pool: WriterPool, fill: Fill) -> None:
    await fill(3000)
    job_id = await apply(pool)
    working = asyncio.create_task(runner(pool).work_off(asyncio.Event()))

    async def has_begun() -> bool:
        seen = await read_job(pool, job_id)
        return seen is not None and bool(seen.counts.get("contacts"))

    await until(has_begun, "the job's first step", every_seconds=0.01)
    assert await cancel_job(pool, job_id, by="joe")
    await working

    (job,) = await list_jobs(pool, limit=2)
    assert (job.state, job.cancelled_by) == ("cancelled", "joe")
    assert 0 < job.counts["contacts"] < 3000
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE policy_id = 2") == job.counts["contacts"]
    assert not await cancel_job(pool, job_id, by="joe")


async def test_another_policy_ends_the_job_of_the_one_before(pool: WriterPool, fill: Fill) -> None:
    await fill(50)
    first = await apply(pool)
    second = (await apply_policy(pool, preset("ladder"), now=NOW, by="jane")).job_id

    await runner(pool).work_off(asyncio.Event())

    assert [(job.id, job.state) for job in await list_jobs(pool, limit=9)] == [(second, "done"), (first, "cancelled")]
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE policy_id = 3") == 50


async def test_a_job_waits_while_live_parcels_do(pool: WriterPool, fill: Fill) -> None:
    await fill(50)
    job_id = await apply(pool)
    backlog, stop = Backlog(), asyncio.Event()
    backlog.measured("rabbitmq", 10_000)
    working = asyncio.create_task(runner(pool, backlog).work_off(stop))

    async def has_not_begun() -> bool:
        return not working.done() and await pool.fetchval("SELECT max(policy_id) FROM contacts") == 1

    await stays(has_not_begun, "the job waits", seconds=0.3)

    backlog.measured("rabbitmq", 0)
    await working

    await require_each_once(pool, job_id, 50)


class Faulty:
    """A kind with a defect."""

    name = "faulty"

    async def divide(self, *_: object) -> list[NewPart]:
        """One part."""
        return [NewPart(first=1, last=10)]

    async def step(self, *_: object) -> Step:
        """Never does anything."""
        raise ZeroDivisionError


async def test_a_job_with_a_defect_ends_and_the_next_one_is_done(pool: WriterPool, fill: Fill) -> None:
    await fill(10)
    faulty = await insert_job(pool, "faulty", {}, now=NOW, by="jane")
    job_id = await apply(pool)
    kinds: dict[str, JobKind] = {"faulty": Faulty(), POLICY_JOB: PolicyJob(Policies(ESPS), known_everywhere_seconds=0)}

    await JobRunner(pool, kinds, backlog=Backlog()).work_off(asyncio.Event())

    await require_each_once(pool, job_id, 10)
    seen = await read_job(pool, faulty)
    assert seen is not None
    assert (seen.job.state, seen.job.error) == ("failed", "ZeroDivisionError")


@pytest.mark.slow
async def test_killed_again_and_again_a_job_goes_on_and_folds_each_contact_once(
    pool: WriterPool, database_dsn: str, fill: Fill
) -> None:
    contacts = 20_000
    await fill(contacts)
    job_id = await apply(pool)
    kills, seen_before = 0, 0
    while True:
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.jobs.job_process", database_dsn, cwd=REPOSITORY
            )
            for _ in range(2)
        ]
        ends = [asyncio.ensure_future(process.wait()) for process in processes]

        async def is_further(before: int = seen_before, ends: Sequence[asyncio.Future[int]] = ends) -> int:
            seen = await read_job(pool, job_id)
            done = 0 if seen is None else seen.counts.get("contacts", 0)
            return done if done > before + 1000 or any(end.done() for end in ends) else 0

        if kills < KILLS:
            seen_before = await until(is_further, "a thousand contacts more", every_seconds=0.01)
            for process in processes:
                process.send_signal(signal.SIGKILL)
            kills += 1
        codes = await asyncio.gather(*ends)
        if codes == [0, 0]:
            break
        assert codes == [-signal.SIGKILL, -signal.SIGKILL]

    assert kills == KILLS
    await require_each_once(pool, job_id, contacts)

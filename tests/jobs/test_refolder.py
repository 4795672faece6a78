"""Long logs are folded again beside the live events: by several processes, killed or not, holding up nobody."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import prometheus_client
import pytest

from schemas.vocabulary import Cause, Kind
from tests.contacts.long_logs import add_calm_events
from tests.contacts.refolds import finish, refolder, waiting
from tests.contacts.test_applying import POLICY, apply, facts_by_address
from tests.contacts.test_late_entries import JANE, fold_anew, giant
from tests.jobs.job_settings import job_settings
from tests.schemas.feedback_events import START, make_event
from tests.waiting import until
from worker.jobs.service import run_jobs
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.process.backlog import Backlog
from worker.processor.batch import Committed
from worker.processor.parsing import ParsedParcels
from worker.processor.reporting import report_load
from worker.store.pool import WriterPool
from worker.store.stored_entries import stored_entries
from worker.store.writer_pool import open_writer_pool

REPOSITORY = Path(__file__).parent.parent.parent
KILLS = 5
GIANTS = 20
LATE = make_event(Kind.COMPLAINT, day=1.0001, cause=Cause.ABUSE_REPORT, message=None)


@pytest.mark.slow
async def test_killed_again_and_again_a_refold_goes_on_where_it_was(pool: WriterPool, database_dsn: str) -> None:
    contact_id = await giant(pool, 100_000)
    await apply(pool, [LATE])
    assert await waiting(pool) == 1
    places: list[datetime] = []
    while await waiting(pool):
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.jobs.refold_process", database_dsn, cwd=REPOSITORY
            )
            for _ in range(2)
        ]
        ends = [asyncio.ensure_future(process.wait()) for process in processes]
        last = places[-1] if places else START

        async def is_further(last: datetime = last, ends: Sequence[asyncio.Future[int]] = ends) -> bool:
            place = await pool.fetchval("SELECT occurred_at FROM refolds")
            return place is None or place > last or all(end.done() for end in ends)

        await until(is_further, "a step more", every_seconds=0.01)
        if len(places) < KILLS:
            for process in processes:
                with suppress(ProcessLookupError):  # one of them may have found the contact locked, and have ended
                    process.send_signal(signal.SIGKILL)
        await asyncio.gather(*ends)
        if place := await pool.fetchval("SELECT occurred_at FROM refolds"):
            places.append(place)

    assert len(places) >= KILLS
    assert places == sorted(places)
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, contact_id)
    assert await pool.fetchval("SELECT count(*) FROM status_changes WHERE new_status = 'complained'") == 1


async def test_two_processes_take_different_contacts(pool: WriterPool, database_dsn: str) -> None:
    ids = await giants(pool, 2, entries=6_000)
    other = await open_writer_pool(database_dsn, connections=1, command_timeout_seconds=30)
    try:
        while await waiting(pool):
            await asyncio.gather(*(refolder(each).take_step() for each in (pool, other)))
    finally:
        await other.close()
    await all_are_right(pool, ids)


@pytest.mark.slow
@pytest.mark.alone
async def test_twenty_giants_hold_up_no_other_contact(pool: WriterPool, database_dsn: str) -> None:
    began = time.perf_counter()
    ids = await giants(pool, GIANTS, entries=20_000)
    assert await waiting(pool) == GIANTS
    print("made", time.perf_counter() - began)
    alone = [await batch_of_others(pool, number) for number in range(200)]
    other = await open_writer_pool(database_dsn, connections=1, command_timeout_seconds=30)
    work = asyncio.create_task(refolder(other, step_seconds=0.05).work_off(asyncio.Event()))
    beside: list[float] = []
    try:
        while not work.done():
            beside.append(await batch_of_others(pool, 200 + len(beside)))
        await work
    finally:
        await other.close()
    print(f"alone {told(alone)}; beside {told(beside)}")
    await all_are_right(pool, ids)
    # The longest is some 70 ms on an idle machine. One or two may have met something else, such as a checkpoint: a job
    # that holds others up does so at each of its hundred steps.
    *_, third_longest, _, _ = sorted(beside)
    assert third_longest < max(alone) + 0.25


async def batch_of_others(pool: WriterPool, number: int) -> float:
    """How many seconds a batch takes that brings something of another contact."""
    opened = make_event(Kind.OPENED, day=200 + number / 1000, address=f"c{number % 50}@example.org")
    started = time.perf_counter()
    await apply(pool, [opened])
    took = time.perf_counter() - started
    await asyncio.sleep(0)
    return took


def told(waits: list[float]) -> str:
    """The longest and others, in milliseconds."""
    ordered = sorted(waits)
    parts = {"p50": 0.5, "p99": 0.99, "longest": 1.0}
    return ", ".join(f"{name} {ordered[int(part * (len(ordered) - 1))] * 1000:.1f} ms" for name, part in parts.items())


async def giants(pool: WriterPool, count: int, *, entries: int) -> list[int]:
    """Contacts with long logs, into each of which a complaint came late; all in one batch."""
    addresses = [f"giant-{number}@example.org" for number in range(count)]
    first = [
        make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, message="first", address=address)
        for address in addresses
    ]
    await apply(pool, first)
    ids = [record["id"] for record in await pool.fetch("SELECT id FROM contacts ORDER BY id")]
    for contact_id in ids:
        await add_calm_events(pool, contact_id, entries, since=START, minutes_apart=1)
    last = [make_event(Kind.DELIVERED, day=60, message="last", address=address) for address in addresses]
    await apply(pool, last)
    await pool.execute("ANALYZE")
    started = time.perf_counter()
    late = [
        make_event(Kind.COMPLAINT, day=1.0001, cause=Cause.ABUSE_REPORT, message=None, address=address)
        for address in addresses
    ]
    await apply(pool, late)
    print(f"the batch of {count}: {time.perf_counter() - started:.3f} s")
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE status = 'complained'") == count
    return ids


async def all_are_right(pool: WriterPool, ids: list[int]) -> None:
    await finish(pool)
    known = await facts_by_address(pool)
    for contact_id in ids:
        address = await pool.fetchval("SELECT address FROM contacts WHERE id = $1", contact_id)
        stored = await stored_entries(pool, contact_id, whole=False)
        assert known[address] == fold_all(Facts(), stored, POLICY)


async def test_every_processor_takes_steps_beside_its_jobs(pool: WriterPool, database_dsn: str) -> None:
    ids = await giants(pool, 1, entries=6_000)
    stop = asyncio.Event()
    service = asyncio.create_task(run_jobs(job_settings(database_dsn), stop, Backlog()))

    async def nobody_waits() -> bool:
        return await waiting(pool) == 0

    await until(nobody_waits, "the re-fold has ended")
    stop.set()
    await service

    await all_are_right(pool, ids)


async def test_the_operator_is_told_when_a_refold_is_requested_and_when_it_ends(
    pool: WriterPool, capsys: pytest.CaptureFixture[str]
) -> None:
    contact_id = await giant(pool, 3_000)
    applied = await apply(pool, [LATE])
    earlier = counted("refolds_requested_total", reason="late_entry"), counted("refold_seconds_count")

    report_load(
        ParsedParcels(), [Committed(applied=[applied])], [], queue="q", parcels=1, parse_seconds=0, store_seconds=0
    )
    await refolder(pool).work_off(asyncio.Event())

    later = counted("refolds_requested_total", reason="late_entry"), counted("refold_seconds_count")
    assert later == (earlier[0] + 1, earlier[1] + 1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [line for line in lines if line["event"].startswith("refold.")]
    assert [(line["event"], line["contact_id"], line.get("reason")) for line in told] == [
        ("refold.requested", contact_id, "late_entry"),
        ("refold.ended", contact_id, None),
    ]
    again = await apply(pool, [make_event(Kind.COMPLAINT, day=0.5, cause=Cause.ABUSE_REPORT, message=None)])
    more = await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=0.4, scope="news", message=None)])
    assert (len(again.requested_refolds), len(more.requested_refolds)) == (1, 0)  # the second sets the first back


def counted(name: str, **labels: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value(f"bouncekeeper_{name}", labels) or 0.0


async def test_a_refold_that_cannot_be_read_holds_up_no_other(pool: WriterPool) -> None:
    first, second = await giants(pool, 2, entries=3_000)
    await pool.execute("UPDATE refolds SET facts = 'no facts' WHERE contact_id = $1", first)

    await refolder(pool).work_off(asyncio.Event())

    assert [row["contact_id"] for row in await pool.fetch("SELECT contact_id FROM refolds")] == [first]
    await pool.execute(
        "UPDATE refolds SET facts = NULL, occurred_at = NULL, rank = NULL, entry_key = NULL, due_at = now(),"
        " late_at = NULL, late_rank = NULL, late_key = NULL"  # from the beginning to the end
    )
    await all_are_right(pool, [first, second])

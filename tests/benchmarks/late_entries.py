"""An entry that comes late into a contact's log of a million entries, next to one that comes in order.

One contact, nearly all of whose entries are openings and deliveries of eight months, and one process that applies an
event at a time, each in a transaction of its own. The late ones are failures that deliveries have cleared since, so
that the facts soon are those of a checkpoint again. What changes all that follows is left to the background, as a
processor works on it beside its batches. The explanation is asked for without HTTP: its memory is what Python allocates
meanwhile.

Then twenty contacts with long logs are folded again by the same process and the same event loop that apply events of
other contacts, one at a time: how long the longest of these takes, and how long without the twenty.
"""

import asyncio
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import count

from schemas.decision import Decision, DecisionKind, Role
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.benchmarks.benchmark import Bench, Measurement, Outcome
from tests.contacts.long_logs import add_calm_events
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_decisions, apply_events
from worker.contacts.explanation import contact_explanation
from worker.contacts.policies import Policies
from worker.jobs.refolder import Refolder
from worker.policy.policy_file import recommended_policy
from worker.process.backlog import Backlog
from worker.store.partitions import make_partitions, month_of, months_later
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool, writing

_DAYS = 240
_MINUTES_A_DAY = 24 * 60
_AT_ONCE = 100_000
_SEVERAL = 200
_GIANTS = 20
_POLICIES = Policies(recommended_policy())
_RULES = BatchRules(policies=_POLICIES, oldest_kept=START - timedelta(days=30))


async def measure(bench: Bench) -> Outcome:
    """Milliseconds of an event, late and in order, and what the explanation takes."""
    entries = bench.size(1_000_000, 20_000)
    pool = await open_writer_pool(
        await bench.services.database("bench_late_entries"), connections=2, command_timeout_seconds=600
    )
    try:
        return await _measured(bench, pool, entries)
    finally:
        await pool.close()


async def _measured(bench: Bench, pool: WriterPool, entries: int) -> Outcome:
    outcome = Outcome()
    bench.progress(f"late entries: making {entries:,} entries of one contact")
    await _fill(pool, entries)
    outcome.remark(f"explanation of {entries:,} entries", await _explanation(pool))
    first = make_event(Kind.UNSUBSCRIBE, day=1, scope="news")
    outcome.remark("first late entry, after which all is read for checkpoints", await _refolded(pool, first))
    numbers = count()

    async def late() -> float:
        number = next(numbers)
        day = _DAYS * (0.2 + 0.1 * (number % 7)) + number / 1000
        return await _apply(
            pool, make_event(Kind.SOFT_BOUNCE, day=day, cause=Cause.MAILBOX_FULL, message=f"late{number}")
        )

    async def in_order() -> float:
        number = next(numbers)
        return await _apply(pool, make_event(Kind.DELIVERED, day=_DAYS + 2 + number, message=f"new{number}"))

    figures = await bench.in_turns("late entries", ("late", late), ("in order", in_order), unit="ms")
    outcome.measurements.append(
        Measurement(
            what=f"a late event of a contact with {entries:,} entries",
            against="one that comes in order",
            unit="ms",
            ours=figures[0],
            baseline=figures[1],
        )
    )
    several = [await late() for _ in range(_SEVERAL)]
    outcome.remark(f"{_SEVERAL} late events that meet a checkpoint", _told(several))
    complaint = make_event(Kind.COMPLAINT, day=_DAYS / 2, cause=Cause.ABUSE_REPORT, message=None)
    outcome.remark("late complaint in the middle, which changes all that follows", await _refolded(pool, complaint))
    outcome.remark("void of an opening in the middle", await _void(pool))
    bench.progress(f"late entries: making {_GIANTS} contacts with long logs")
    outcome.remark(f"others beside {_GIANTS} re-folds", await _others(pool, bench.size(50_000, 2_000)))
    return outcome


async def _refolded(pool: WriterPool, event: FeedbackEvent) -> str:
    batch = await _apply(pool, event)
    started = time.perf_counter()
    await _work_off(pool)
    return f"{batch:.0f} ms, then {time.perf_counter() - started:.1f} s in the background"


async def _work_off(pool: WriterPool) -> None:
    await Refolder(pool, _POLICIES, backlog=Backlog()).work_off(asyncio.Event())
    if await pool.fetchval("SELECT count(*) FROM refolds"):
        raise RuntimeError("a re-fold has not ended")


async def _void(pool: WriterPool) -> str:
    """An operator's void of one calm event, which has to be found among all."""
    act_id: int = await pool.fetchval(
        "INSERT INTO acts (actor, role, what, at) VALUES ('bench', 'operator', 'call', now()) RETURNING id"
    )
    opening = await pool.fetchrow(
        "SELECT entry_key FROM calm_events WHERE occurred_at >= $1 LIMIT 1", START + timedelta(days=_DAYS / 2)
    )
    if opening is None:
        raise RuntimeError("the contact of the benchmark has no opening")
    now = datetime.now(UTC)
    void = Decision(
        event_key=b"bench void",
        act_id=act_id,
        account="default",
        address="jane@example.org",
        kind=DecisionKind.VOIDED,
        occurred_at=now,
        received_at=now,
        role=Role.OPERATOR,
        actor="bench",
        note="bench",
        entry_keys=(opening["entry_key"],),
    )
    started = time.perf_counter()
    async with writing(pool) as connection:
        await apply_decisions(connection, [void], rules=_RULES, now=now)
    batch = (time.perf_counter() - started) * 1000
    started = time.perf_counter()
    await _work_off(pool)
    return f"{batch:.0f} ms, then {time.perf_counter() - started:.1f} s in the background"


async def _others(pool: WriterPool, entries: int) -> str:
    addresses = [f"giant-{number}@example.org" for number in range(_GIANTS)]
    first = [make_event(Kind.DELIVERED, address=address, message="first") for address in addresses]
    await _apply(pool, *first)
    for record in await pool.fetch("SELECT id FROM contacts WHERE address = ANY ($1)", addresses):
        await add_calm_events(pool, record["id"], entries, since=START, minutes_apart=1)
    await _apply(pool, *[make_event(Kind.OPENED, day=_DAYS, address=address) for address in addresses])
    await pool.execute("VACUUM ANALYZE")
    numbers = count()

    async def other() -> float:
        number = next(numbers)
        await asyncio.sleep(0)
        address = f"other-{number % 50}@example.org"
        return await _apply(pool, make_event(Kind.OPENED, day=_DAYS + number / 1000, address=address))

    alone = [await other() for _ in range(_SEVERAL)]
    late = [make_event(Kind.COMPLAINT, day=1, cause=Cause.ABUSE_REPORT, address=address) for address in addresses]
    batch = await _apply(pool, *late)
    started = time.perf_counter()
    work = asyncio.create_task(_work_off(pool))
    beside: list[float] = []
    while not work.done():
        beside.append(await other())
    await work
    seconds = time.perf_counter() - started
    return (
        f"{_told(beside)} (alone: {_told(alone)}); {_GIANTS} with {entries:,} entries each,"
        f" the late batch {batch:.0f} ms, then {seconds:.1f} s in the background"
    )


def _told(milliseconds: list[float]) -> str:
    ordered = sorted(milliseconds)
    return f"median {ordered[len(ordered) // 2]:.1f} ms, longest {ordered[-1]:.1f} ms of {len(ordered):,}"


async def _fill(pool: WriterPool, entries: int) -> None:
    async with pool.acquire() as connection:
        await make_partitions(connection, [months_later(month_of(START), number) for number in range(-1, 14)])
    await _apply(pool, make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, message="first"))
    contact_id: int = await pool.fetchval("SELECT id FROM contacts")
    minutes = _DAYS * _MINUTES_A_DAY / entries
    for start in range(0, entries, _AT_ONCE):
        some = min(_AT_ONCE, entries - start)
        since = START + timedelta(minutes=start * minutes)
        await add_calm_events(pool, contact_id, some, since=since, minutes_apart=minutes)
    await _apply(pool, make_event(Kind.DELIVERED, day=_DAYS + 1, message="last"))
    await pool.execute("VACUUM ANALYZE")


async def _apply(pool: WriterPool, *events: FeedbackEvent) -> float:
    """Milliseconds of its transaction."""
    started = time.perf_counter()
    async with writing(pool) as connection:
        await apply_events(connection, events, rules=_RULES, now=datetime.now(UTC))
    return (time.perf_counter() - started) * 1000


async def _explanation(pool: WriterPool) -> str:
    started = time.perf_counter()
    await _explain(pool)
    milliseconds = (time.perf_counter() - started) * 1000
    tracemalloc.start()
    await _explain(pool)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return f"{milliseconds:.0f} ms, {peak / 1024 / 1024:.1f} MiB at most"


async def _explain(pool: WriterPool) -> None:
    answer = await contact_explanation(
        pool, "jane@example.org", policies=Policies(recommended_policy()), now=datetime.now(UTC)
    )
    if answer is None or not answer.steps:
        raise RuntimeError("the contact of the benchmark has no story")

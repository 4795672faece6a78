"""An entry that comes late into a contact's log of a million entries, next to one that comes in order.

One contact, nearly all of whose entries are openings and deliveries of eight months, and one process that applies an
event at a time, each in a transaction of its own. The late ones are failures that deliveries have cleared since, so
that the facts soon are those of a checkpoint again. The explanation is asked for without HTTP: its memory is what
Python allocates meanwhile.
"""

import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import count

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.benchmarks.benchmark import Bench, Measurement, Outcome
from tests.contacts.long_logs import add_calm_events
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.explanation import contact_explanation
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.store.partitions import make_partitions, month_of, months_later
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool, writing

_DAYS = 240
_MINUTES_A_DAY = 24 * 60
_AT_ONCE = 100_000
_RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=30))


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
    first = await _apply(pool, make_event(Kind.UNSUBSCRIBE, day=1, scope="news"))
    outcome.remark("first late entry, which reads all and leaves checkpoints", f"{first / 1000:.1f} s")
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
    complaint = make_event(Kind.COMPLAINT, day=_DAYS / 2, cause=Cause.ABUSE_REPORT, message=None)
    outcome.remark(
        "late complaint in the middle, which changes all that follows", f"{await _apply(pool, complaint) / 1000:.1f} s"
    )
    return outcome


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


async def _apply(pool: WriterPool, event: FeedbackEvent) -> float:
    """Milliseconds of its transaction."""
    started = time.perf_counter()
    async with writing(pool) as connection:
        await apply_events(connection, [event], rules=_RULES, now=datetime.now(UTC))
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

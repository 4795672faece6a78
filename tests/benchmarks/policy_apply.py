"""`policy apply` over a million contacts with ten entries each, and what live events feel of it.

Ours folds every contact again, and writes what follows, in the process and at the pace of a processor. The baseline is
the least that any such work has to do: it reads the same entries, by COPY ... TO, and throws them away. Each round
applies the other one of two policies, so that each has all contacts to do.

Live events come one by one at fixed times, whatever happens (open loop), and each is committed by itself: a stall is
felt by all that were due meanwhile. They are measured in the same process, with the job beside them and without.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.processor_throughput import prepare_months
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies, apply_policy, configure_policy
from worker.jobs.policy_job import PolicyJob
from worker.jobs.runner import JobRunner
from worker.policy.policy_file import preset
from worker.process.backlog import Backlog
from worker.providers.payload.event_key import make_event_key
from worker.store.pool import WriterPool
from worker.store.writer_pool import ONE_PLAN, open_writer_pool, writing

_DELIVERY = UUID("01900000-0000-7000-8000-000000000001")
_ENTRIES = 10
_LIVE_PER_SECOND = 10
_MILLISECONDS = 1000
_POLICIES = (preset("recommended"), preset("klaviyo"))
_FILL_CONTACTS = """
    INSERT INTO contacts (account, channel, address, status, first_seen_at, last_delivered_at, latest_at, latest_rank,
        latest_key, latest_ordered_at, latest_ordered_rank, latest_ordered_key, policy_id)
    SELECT 'default', 'email', 'person' || n || '@mail' || (n % 997) || '.example.com', 'active',
        $2::timestamptz, $3::timestamptz, $3, 20,
        decode(md5(n || '-9'), 'hex'), $3 - interval '1 day', 30, decode(md5(n || '-8'), 'hex'), 1
      FROM generate_series(1, $1::bigint) AS n
"""
# Five soft bounces and five deliveries in turns, three days apart.
_FILL_ENTRIES = """
    INSERT INTO {table} (contact_id, occurred_at, received_at, rank, cause, provider, source, vendor_event,
        reader_version, machine, delivery_id, entry_key, message_id)
    SELECT c.id, $1::timestamptz - (9 - k) * interval '1 day', $1::timestamptz - (9 - k) * interval '1 day', {rank},
        (SELECT id FROM words WHERE word = '{cause}'), w.id, w.id, w.id, 1, false, $2::uuid,
        decode(md5(c.id || '-' || k), 'hex'), 'm' || c.id || '-' || k
      FROM contacts c, generate_series({first}, 9, 2) AS k, (SELECT id FROM words WHERE word = 'bench') AS w
"""
_READ = "SELECT * FROM entries", "SELECT * FROM calm_events"


async def measure(bench: Bench) -> Outcome:
    """Contacts per second, and the 99th percentile of live events."""
    contacts = bench.size(1_000_000, 5_000)
    bench.progress(f"policy apply: making {contacts:,} contacts with {_ENTRIES} entries each")
    dsn = await bench.services.database("bench_policy")
    now = datetime.now(UTC)
    await prepare_months(dsn, now)
    await prepare_months(dsn, now - timedelta(days=_ENTRIES))
    pool = await open_writer_pool(dsn, connections=3, command_timeout_seconds=600, server_settings=ONE_PLAN)
    try:
        await configure_policy(pool, _POLICIES[0], now=now)
        await _fill(dsn, contacts, now)
        apply = _Application(pool, contacts)
        folded, read = await bench.in_turns(
            "policy apply", ("folding again", apply.measure), ("COPY … TO", lambda: _read(dsn, contacts)), unit="/s"
        )
        live = _Live(pool, contacts)
        seconds = bench.size(20, 3)
        beside, alone = await bench.in_turns(
            "live events",
            ("beside the job", lambda: apply.beside(lambda: live.p99(seconds))),
            ("alone", lambda: live.p99(seconds)),
            unit="ms",
        )
    finally:
        await pool.close()
    await bench.services.drop_database("bench_policy")
    return Outcome(
        measurements=[
            Measurement(
                what=f"contacts folded again, {_ENTRIES} entries each",
                against="reading their entries by COPY … TO",
                unit="/s",
                ours=folded,
                baseline=read,
            ),
            Measurement(
                what="p99 of a live event during `policy apply`",
                against="without it",
                unit="ms",
                ours=beside,
                baseline=alone,
                goal=Goal(at_most=2.0),
            ),
        ]
    )


class _Application:
    """Applies one policy after the other."""

    def __init__(self, pool: WriterPool, contacts: int) -> None:
        self._pool = pool
        self._contacts = contacts
        self._applied = 0

    async def measure(self) -> float:
        """Contacts per second of one application."""
        await self._apply()
        started = time.monotonic()
        await self._work(asyncio.Event())
        seconds = time.monotonic() - started
        left = await self._pool.fetchval(
            "SELECT count(*) FROM contacts WHERE policy_id <> (SELECT id FROM policies WHERE state = 'active')"
        )
        if left:
            raise AssertionError(f"{left} contacts were not folded again")
        return self._contacts / seconds

    async def beside(self, measure: Callable[[], Awaitable[float]]) -> float:
        """The figure, measured while applications follow each other."""
        stop = asyncio.Event()

        async def go_on() -> None:
            while not stop.is_set():
                await self._apply()
                await self._work(stop)

        working = asyncio.ensure_future(go_on())
        try:
            return await measure()
        finally:
            stop.set()
            with suppress(asyncio.CancelledError):
                await working

    async def _apply(self) -> None:
        self._applied += 1
        policy = _POLICIES[self._applied % 2]
        await apply_policy(self._pool, policy, now=datetime.now(UTC), by="bench")

    async def _work(self, stop: asyncio.Event) -> None:
        kind = PolicyJob(Policies(_POLICIES[0]), known_everywhere_seconds=0)
        await JobRunner(self._pool, {kind.name: kind}, backlog=Backlog()).work_off(stop)


class _Live:
    """Events of contacts of this database, one by one."""

    def __init__(self, pool: WriterPool, contacts: int) -> None:
        self._pool = pool
        self._contacts = contacts
        self._chance = random.Random(4711)
        self._count = 0
        self._rules = BatchRules(policies=Policies(_POLICIES[0]), oldest_kept=datetime.now(UTC) - timedelta(days=400))

    async def p99(self, seconds: float) -> float:
        """Milliseconds from the moment an event was due to its commit."""
        latencies: list[float] = []
        started = time.monotonic()
        for number in range(int(seconds * _LIVE_PER_SECOND)):
            due = started + number / _LIVE_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            now = datetime.now(UTC)
            async with writing(self._pool) as connection:
                await apply_events(connection, [self._event(now)], rules=self._rules, now=now)
            latencies.append(time.monotonic() - due)
        return sorted(latencies)[int(len(latencies) * 0.99)] * _MILLISECONDS

    def _event(self, now: datetime) -> FeedbackEvent:
        self._count += 1
        number = self._chance.randrange(1, self._contacts + 1)
        return FeedbackEvent(
            event_key=make_event_key([f"live-{self._count}"]),
            provider="bench",
            source="bench",
            account="default",
            address=f"person{number}@mail{number % 997}.example.com",
            kind=Kind.DELIVERED,
            occurred_at=now,
            received_at=now,
            delivery_id=_DELIVERY,
            message_id=f"live{self._count}",
        )


async def _fill(dsn: str, contacts: int, now: datetime) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("INSERT INTO words (word) VALUES ('bench') ON CONFLICT DO NOTHING")
        await connection.execute(_FILL_CONTACTS, contacts, now - timedelta(days=30), now)
        for table, rank, cause, first in (("entries", 30, "mailbox_full", 0), ("calm_events", 20, "none", 1)):
            statement = _FILL_ENTRIES.format(table=table, rank=rank, cause=cause, first=first)
            await connection.execute(statement, now, _DELIVERY)
        await connection.execute("VACUUM (FREEZE, ANALYZE) contacts, entries, calm_events")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _read(dsn: str, contacts: int) -> float:
    """Contacts per second whose entries are read and thrown away."""
    connection = await asyncpg.connect(dsn)
    try:
        started = time.monotonic()
        for query in _READ:
            await connection.copy_from_query(query, output=_throw_away)
        return contacts / (time.monotonic() - started)
    finally:
        await connection.close()


async def _throw_away(_data: bytes) -> None:
    """Nothing is made of it."""

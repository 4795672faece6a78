"""The processor against COPY of the same event rows into the same tables with their indexes.

Ours does everything: decode, parse, classify, find duplicates, lock contacts, fold, decide, write events, contacts,
history and outbox, commit, acknowledge. The baseline only writes the events' rows, which it is given ready-made.
"""

from datetime import UTC, datetime
from statistics import median

import asyncpg

from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.feedback import sample_events
from tests.benchmarks.parcels import store, write_parcels
from tests.benchmarks.servers import write_config
from tests.benchmarks.services import empty_tables
from worker.samples.sendgrid import SendGridSamples
from worker.store.partitions import make_partitions, months_later

WHAT = "processor, events per second"


async def measure(bench: Bench) -> Outcome:
    """One worker process, SendGrid webhooks of 100 events, in parcels that are in memory beforehand."""
    count = bench.size(200_000, 40_000)
    sender = SendGridSamples()
    now = datetime.now(UTC)
    bench.progress(f"processor: making {count:,} events")
    parcels = write_parcels(
        bench.folder / "processor.parcels", sender, sample_events(count, seed=1, now=now), received_at=now
    )
    ours = await bench.services.database("bench_processor")
    twin = await bench.services.database("bench_copy")
    for dsn in (ours, twin):
        await prepare_months(dsn, now)
    config = bench.folder / "processor.toml"
    write_config(config, sources=[sender.source("sendgrid")], postgres_url=ours, queue_url="amqp://unused/")
    log_file = bench.folder / "processor.log"
    processed = []

    async def process() -> float:
        await empty_tables(ours)
        processed.append(await store(log_file, "process", str(config), str(parcels)))
        await _require_stored(ours, count)
        return count / processed[-1].seconds

    async def copy() -> float:
        await empty_tables(twin)
        copied = await store(log_file, "copy", ours, twin)
        await _require_stored(twin, count)
        return count / copied.seconds

    await process()  # warms up, and leaves the rows for the first COPY
    figures = await bench.in_turns("processor", ("ours", process), ("COPY", copy))
    outcome = Outcome()
    outcome.measurements.append(
        Measurement(
            what=WHAT,
            against="COPY of the same event rows into the same tables with their indexes",
            unit="/s",
            ours=figures[0],
            baseline=figures[1],
            goal=Goal(at_least=0.4),
        )
    )
    busy = median(one.cpu_seconds / one.seconds for one in processed)
    outcome.remark("processor process, share of one core", f"{busy:.0%}; the rest of the time is Postgres's")
    outcome.remark("processor process, peak memory", f"{max(one.peak_memory_mib for one in processed):.0f} MiB")
    outcome.remark("bytes per stored event, as SendGrid's", await bytes_per_event(ours))
    return outcome


async def prepare_months(dsn: str, now: datetime) -> None:
    """This month and the one before have their tables, as they have in a running installation."""
    connection = await asyncpg.connect(dsn)
    try:
        await make_partitions(connection, [months_later(now.replace(day=1), -1), now])
    finally:
        await connection.close()


async def bytes_per_event(dsn: str) -> str:
    """What the database holds, divided by its events; with and without what contacts and history take."""
    connection = await asyncpg.connect(dsn)
    try:
        events, total, count, contacts = await connection.fetchrow("""
            SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
                     WHERE inhparent = 'events'::regclass)::bigint,
                   (SELECT sum(pg_total_relation_size(oid)) FROM pg_class
                     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relispartition)::bigint,
                   (SELECT count(*) FROM events), (SELECT count(*) FROM contacts)
        """) or (0, 0, 1, 0)
        raw = await connection.fetchval("SELECT avg(length(raw)) FROM events")
    finally:
        await connection.close()
    return (
        f"{events / count:.0f} in events with their indexes (of which {raw:.0f} are the vendor's own words, before "
        f"compression) and {total / count:.0f} in all other tables; {count:,} events, {contacts:,} contacts"
    )


async def _require_stored(dsn: str, count: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        stored = await connection.fetchval("SELECT count(*) FROM events")
    finally:
        await connection.close()
    if stored != count:
        raise RuntimeError(f"{stored:,} events of {count:,} were stored: a figure for fewer would be no figure")

"""A processor reads the lanes of its own sources and of those that it has never heard of."""

from datetime import UTC, datetime, timedelta

import msgspec

from schemas.lane import Lane
from schemas.source import Source
from tests.processor.test_service import bounce, envelopes, parcel, processor, settings_for, until_answered
from tests.queue.virtual_hosts import BUSY, IMPORT, LANES, QUIET
from worker.processor.lanes import keep_lanes, lanes_of
from worker.providers.registry import PROVIDERS
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter
from worker.store.pool import Pool

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_each_source_has_a_lane_and_one_for_imports_where_they_are_to_be_expected() -> None:
    sources = [
        Source(name="shop", provider="sendgrid"),
        Source(name="scripts", provider="bouncekeeper"),
        Source(name="old", provider="mailgun", bulk=True),
    ]
    assert lanes_of(sources, PROVIDERS) == [
        Lane(source="shop"),
        Lane(source="scripts"),
        Lane(source="scripts", bulk=True),
        Lane(source="old", bulk=True),
    ]


async def test_a_source_that_nobody_has_any_more_is_drained_until_its_queue_is_removed(
    pool: Pool, rabbitmq_url: str
) -> None:
    former, present = await RabbitMQReader.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url)
    gone = Lane(source="queue-was-removed")
    await pool.execute("INSERT INTO queue_lanes VALUES ($1, $2)", gone.name, NOW - timedelta(days=2))
    await keep_lanes(pool, former, [QUIET, BUSY], now=NOW)
    await former.close()

    await keep_lanes(pool, present, [BUSY], now=NOW + timedelta(hours=1))
    writer = await RabbitMQWriter.open(rabbitmq_url)
    await writer.put(b"left behind", QUIET)
    [lease] = await present.take(max_parcels=1, max_wait_seconds=5)
    assert lease.parcel == b"left behind"
    names = [name for (name,) in await pool.fetch("SELECT name FROM queue_lanes ORDER BY name")]
    assert names == [BUSY.name, QUIET.name]
    await present.close()
    await writer.close()


async def test_a_lane_that_is_about_to_be_made_is_not_struck_out(pool: Pool, rabbitmq_url: str) -> None:
    reader = await RabbitMQReader.open(rabbitmq_url)
    await pool.execute("INSERT INTO queue_lanes VALUES ('live.new', $1)", NOW)
    await keep_lanes(pool, reader, [], now=NOW + timedelta(minutes=1))
    assert await pool.fetchval("SELECT name FROM queue_lanes") == "live.new"
    await reader.close()


async def test_a_processor_reads_the_lanes_of_all_sources_known_and_unknown(
    database_dsn: str, rabbitmq_url: str
) -> None:
    writer = await RabbitMQWriter.open(rabbitmq_url)
    quiet = Source(name="quiet", provider="bouncekeeper", authentication="none")
    settings = msgspec.structs.replace(settings_for(database_dsn, rabbitmq_url), sources=(quiet,))
    async with processor(settings):
        for lane in (*LANES, Lane(source="unheard-of")):
            await writer.put(parcel(envelopes([bounce(f"{lane.name}@example.org")])), lane)
        # No processor of this test follows the busy one, until somebody tells of it.
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 3)
        names = "SELECT string_agg(name, ' ' ORDER BY name) FROM queue_lanes"
        await until_answered(database_dsn, names, f"{IMPORT.name} {QUIET.name}")
    await writer.close()


async def test_what_a_quiet_source_says_is_in_effect_while_a_backlog_is_worked_off(
    database_dsn: str, rabbitmq_url: str
) -> None:
    backlog = envelopes([bounce(f"user{number}@busy.example") for number in range(8_000)])
    writer = await RabbitMQWriter.open(rabbitmq_url)
    for start in range(0, len(backlog), 100):
        await writer.put(parcel(backlog[start : start + 100]), BUSY)
    await writer.put(parcel(envelopes([bounce("quiet@example.org")])), QUIET)
    sources = tuple(Source(name=lane.source, provider="postmark", authentication="none") for lane in (BUSY, QUIET))
    settings = msgspec.structs.replace(settings_for(database_dsn, rabbitmq_url), sources=sources)
    async with processor(settings):
        # Contacts are numbered as they come.
        await until_answered(
            database_dsn, "SELECT id <= 4000 FROM contacts WHERE address = 'quiet@example.org'", answer=True
        )
    await writer.close()

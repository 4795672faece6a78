"""Postgres is away for longer than any broker waits: nothing is given up, and nobody has to do anything."""

import time

import asyncpg
import pytest

from tests.processor.test_service import bounce, envelopes, parcel, processor, settings_for, until_answered
from tests.queue.virtual_hosts import BUSY, LANES, QUIET, note_lanes
from tests.waiting import until
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq import RabbitMQ
from worker.processor import batch
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter

_LOSSES = 30  # and twenty was the end, once


async def _depth(url: str) -> int:
    """What nobody holds, asked without taking anything."""
    reader = await RabbitMQReader.open(url)
    await reader.suspend()
    await reader.follow(LANES)
    depth = await reader.depth()
    await reader.close()
    assert depth is not None
    return depth


@pytest.mark.slow
async def test_parcels_survive_more_lost_channels_than_any_limit_while_postgres_is_away(
    rabbitmq_url: str,
    rabbitmq_server: RabbitMQ,
    stoppable_postgres: EmbeddedPostgres,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not rabbitmq_server.owned:
        pytest.skip("the broker is somebody else's, and its connections are not ours to close")
    monkeypatch.setattr(batch, "_PATIENCE_SECONDS", 0.5)
    writer = await RabbitMQWriter.open(rabbitmq_url)
    connection = await asyncpg.connect(stoppable_postgres.dsn)
    await note_lanes(connection, LANES)
    await connection.close()
    async with processor(settings_for(stoppable_postgres.dsn, rabbitmq_url)):
        await writer.put(parcel(envelopes([bounce("before@example.org")])), QUIET)
        await until_answered(stoppable_postgres.dsn, "SELECT count(*) FROM contacts", 1)
        await stoppable_postgres.stop()
        for number in range(8):
            lane = BUSY if number % 2 else QUIET
            await writer.put(parcel(envelopes([bounce(f"user{number}@example.org")])), lane)
        await writer.close()

        async def is_given_back() -> bool:
            return await _depth(rabbitmq_url) == 8

        await until(is_given_back, "all parcels to lie in the broker")

        await rabbitmq_server.close_connections(_LOSSES, pause_seconds=0.4)
        assert await _depth(rabbitmq_url) == 8

        await stoppable_postgres.restart()
        await until_answered(stoppable_postgres.dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 9)
        await until_answered(stoppable_postgres.dsn, "SELECT count(*) FROM dead_letters", 0)
    log = capsys.readouterr().err
    assert log.count('"event":"broker.connected","role":"reader of bouncekeeper.parcels"') > 20
    assert '"event":"consumer.resumed"' in log
    connection = await asyncpg.connect(stoppable_postgres.dsn)
    assert await connection.fetchval("SELECT count(*) FROM parcel_attempts") == 0
    await connection.close()


@pytest.mark.slow
async def test_a_restart_of_postgres_is_sat_out_with_the_work_in_hand(
    rabbitmq_url: str, stoppable_postgres: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = await RabbitMQWriter.open(rabbitmq_url)
    async with processor(settings_for(stoppable_postgres.dsn, rabbitmq_url)):
        await writer.put(parcel(envelopes([bounce("before@example.org")])))
        await until_answered(stoppable_postgres.dsn, "SELECT count(*) FROM contacts", 1)
        await stoppable_postgres.stop()
        await writer.put(parcel(envelopes([bounce("during@example.org")])))
        started = time.monotonic()
        await stoppable_postgres.restart()
        seconds = time.monotonic() - started
        await until_answered(stoppable_postgres.dsn, "SELECT count(*) FROM contacts", 2)
    await writer.close()
    if seconds < batch._PATIENCE_SECONDS / 2:
        assert '"event":"consumer.suspended","queue":"rabbitmq"' not in capsys.readouterr().err


async def test_with_the_queue_in_postgres_a_parcel_survives_more_lost_sessions_than_any_limit(
    database_dsn: str,
) -> None:
    writer = await PostgresWriter.open(database_dsn)
    await writer.put(parcel(envelopes([bounce("kept@example.org")])))
    await writer.close()
    for _ in range(_LOSSES):
        reader = await PostgresReader.open(database_dsn)
        assert len(await reader.take(max_parcels=1, max_wait_seconds=5)) == 1
        assert reader._connection is not None
        reader._connection.terminate()  # as when Postgres or the processor is gone
    async with processor(settings_for(database_dsn, None)):
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 1)
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)
        await until_answered(database_dsn, "SELECT count(*) FROM dead_letters", 0)


async def test_what_an_older_processor_has_given_up_in_postgres_takes_effect(database_dsn: str) -> None:
    writer = await PostgresWriter.open(database_dsn)
    await writer.put(parcel(envelopes([bounce("given-up@example.org")])))
    await writer.close()
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("UPDATE parked_deliveries SET death_reason = 'delivery_limit', times_lent = 21")
    await connection.close()
    async with processor(settings_for(database_dsn, None)):
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 1)
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)

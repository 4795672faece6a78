"""A parcel that cannot be stored while Postgres stores others is given up; when nothing can be stored, none is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec
import pytest

from tests.processor.consumers import consumer_of
from tests.processor.test_service import bounce, envelopes, parcel, processor, settings_for, until_answered
from tests.waiting import pause
from worker.processor import batch, consumer
from worker.processor.trials import MOST_ATTEMPTS, MOST_ATTEMPTS_TOGETHER, Trials
from worker.queue.port import QueueWriter
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.queue.rabbitmq import RabbitMQWriter
from worker.settings.tree import Settings
from worker.store.pool import WriterPool


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(consumer, "_FIRST_AWAY_SECONDS", 0.1)
    monkeypatch.setattr(consumer, "_LONGEST_AWAY_SECONDS", 0.1)


def _settings(dsn: str, rabbitmq_url: str | None) -> Settings:
    settings = settings_for(dsn, rabbitmq_url)
    return msgspec.structs.replace(
        settings, postgres=msgspec.structs.replace(settings.postgres, command_timeout_seconds=0.5)
    )


@asynccontextmanager
async def _locked(dsn: str, statement: str) -> AsyncIterator[None]:
    """As by somebody who has left a transaction open."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(statement)
            yield
    finally:
        await connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["postgres", "rabbitmq"])
async def test_what_cannot_be_stored_while_others_can_is_given_up_alone(
    adapter: str, database_dsn: str, rabbitmq_url: str
) -> None:
    writer: QueueWriter
    if adapter == "rabbitmq":
        writer = await RabbitMQWriter.open(rabbitmq_url)
    else:
        writer = await PostgresWriter.open(database_dsn)
    connection = await asyncpg.connect(database_dsn)
    count = 0
    async with processor(_settings(database_dsn, rabbitmq_url if adapter == "rabbitmq" else None)):
        await writer.put(parcel(envelopes([bounce("stuck@example.org", days_ago=2)])))
        await until_answered(database_dsn, "SELECT count(*) FROM contacts", 1)
        async with _locked(database_dsn, "SELECT FROM contacts FOR UPDATE"):
            neighbours = [bounce(f"neighbour{number}@example.org") for number in range(4)]
            await writer.put(parcel(envelopes([*neighbours[:2], bounce("stuck@example.org"), *neighbours[2:]])))
            async with asyncio.timeout(90):
                while not await connection.fetchval("SELECT count(*) FROM dead_letters"):
                    await writer.put(parcel(envelopes([bounce(f"user{count}@example.org")])))
                    count += 1
                    await pause(0.2, "other contacts are written at a calm pace")
            await until_answered(database_dsn, "SELECT count(*) FROM contacts", 1 + len(neighbours) + count)
        letters = await connection.fetch("SELECT reason, convert_from(body, 'utf8') AS body FROM dead_letters")
        assert [letter["reason"] for letter in letters] == ["stops_workers"]
        assert "stuck@example.org" in letters[0]["body"]
        await until_answered(database_dsn, "SELECT count(*) FROM parcel_attempts", 0)
    await writer.close()
    await connection.close()


@pytest.mark.slow
async def test_while_nothing_can_be_stored_nothing_is_given_up_though_postgres_answers(
    database_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = await PostgresWriter.open(database_dsn)
    async with processor(_settings(database_dsn, None)):
        await writer.put(parcel(envelopes([bounce("before@example.org")])))
        await until_answered(database_dsn, "SELECT count(*) FROM contacts", 1)
        async with _locked(database_dsn, "LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE"):
            for number in range(5):
                await writer.put(parcel(envelopes([bounce(f"user{number}@example.org")])))
            suspended, log = 0, ""
            async with asyncio.timeout(90):
                while suspended < 2 + MOST_ATTEMPTS_TOGETHER + MOST_ATTEMPTS:
                    log += capsys.readouterr().err
                    suspended = log.count('"event":"consumer.suspended"')
                    await pause(0.1, "the log is read ten times a second")
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 6)
        await until_answered(database_dsn, "SELECT count(*) FROM parcel_attempts", 0)
        await until_answered(database_dsn, "SELECT count(*) FROM dead_letters", 0)
    await writer.close()


async def test_a_parcel_under_trial_is_not_to_blame_for_what_fails_elsewhere_in_the_process(
    database_dsn: str, pool: WriterPool
) -> None:
    queue, reader = await PostgresWriter.open(database_dsn), await PostgresReader.open(database_dsn)
    await queue.put(parcel(envelopes([bounce("tried@example.org")])))
    for _ in range(2):  # lent, and lent and noted, by processors that died
        leases = await reader.take(max_parcels=1, max_wait_seconds=5)
        await Trials(pool).suspects(leases)
        await reader.give_back(leases)
    stop = asyncio.Event()
    consumer = consumer_of(reader, pool, stop)
    # The processor's other sessions can still be opened: their staging tables are like this one.
    async with _locked(database_dsn, "LOCK TABLE contacts IN EXCLUSIVE MODE"):
        running = asyncio.create_task(consumer.run(stop))
        await until_answered(database_dsn, "SELECT attempts FROM parcel_attempts", 1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert await pool.fetchval("SELECT attempts FROM parcel_attempts") == 0
    await reader.close()
    await queue.close()

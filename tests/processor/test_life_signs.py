"""A processor notes that it lives and what came in, and loses nothing of that while Postgres is away."""

from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from schemas.envelope import Envelope
from tests.processor.test_service import bounce, envelopes, parcel, processor, settings_for, until_answered
from worker.errors import StoreUnavailable
from worker.local_services.process import free_port
from worker.processor import life_signs
from worker.processor.intake_counts import IntakeCounts
from worker.processor.parsing import ParsedDelivery
from worker.queue.postgres import PostgresWriter
from worker.store.intake import forget_signs, read_intake
from worker.store.pool import WriterPool, open_pool


def delivered(one: Envelope, *, is_part: bool = False) -> ParsedDelivery:
    return ParsedDelivery(envelope=one, events=[], is_part=is_part)


async def test_a_processor_notes_each_webhook_and_that_it_lives_until_it_ends(
    database_dsn: str, postgres_writer: PostgresWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life_signs, "_EVERY_SECONDS", 0.1)
    sent = envelopes([bounce(f"user{number}@example.org") for number in range(3)])
    async with processor(settings_for(database_dsn, None)):
        await postgres_writer.put(parcel(sent[:2]))
        await until_answered(database_dsn, "SELECT sum(webhooks) FROM intake WHERE account = 'default'", 2)
        await postgres_writer.put(parcel(sent[2:]))
        await until_answered(database_dsn, "SELECT sum(webhooks) FROM intake WHERE account = 'default'", 3)
        await until_answered(database_dsn, "SELECT count(*) FROM processor_signs WHERE waiting_parcels >= 0", 1)
    await until_answered(database_dsn, "SELECT count(*) FROM processor_signs", 0)
    connection = await asyncpg.connect(database_dsn)
    latest = await connection.fetchval("SELECT last_received_at FROM intake")
    await connection.close()
    assert latest == max(one.received_at for one in sent)


async def test_what_could_not_be_noted_is_noted_later(pool: WriterPool) -> None:
    counts, (first, second) = IntakeCounts(), envelopes([bounce("a@example.org"), bounce("b@example.org")])
    away = await open_pool(
        f"postgresql://nobody@127.0.0.1:{free_port()}/nothing",
        connections=1,
        command_timeout_seconds=5,
        idle_connections=0,
    )
    counts.add([delivered(first)])
    with pytest.raises(StoreUnavailable):
        await counts.note(away)
    await away.close()
    counts.add([delivered(second)])
    await pool.execute("INSERT INTO accounts (name, since, added_by) VALUES ('default', now(), 'me')")
    await counts.note(pool)
    await counts.note(pool)
    async with pool.acquire() as connection:
        (row,) = await read_intake(connection, "default")
        assert await read_intake(connection, "another") == []
    assert (row.webhooks, row.last_received_at) == (2, max(first.received_at, second.received_at))


async def test_a_webhook_in_parts_counts_once_and_an_account_that_nobody_made_not_at_all(pool: WriterPool) -> None:
    counts, (first, second) = IntakeCounts(), envelopes([bounce("a@example.org"), bounce("b@example.org")])
    counts.add([delivered(first, is_part=True), delivered(first, is_part=True)])
    counts.add([delivered(msgspec.structs.replace(second, account="made up"))])
    await pool.execute("INSERT INTO accounts (name, since, added_by) VALUES ('default', now(), 'me')")
    await counts.note(pool)
    records = await pool.fetch("SELECT account, webhooks FROM intake")
    assert [tuple(record) for record in records] == [("default", 1)]


async def test_the_sign_of_a_processor_that_was_killed_is_forgotten_after_a_day(pool: WriterPool) -> None:
    now = datetime.now(UTC)
    for hours in (1, 25):
        await pool.execute(
            "INSERT INTO processor_signs VALUES (gen_random_uuid(), $1, 0, 0)", now - timedelta(hours=hours)
        )
    await forget_signs(pool, now=now)
    assert await pool.fetchval("SELECT count(*) FROM processor_signs") == 1

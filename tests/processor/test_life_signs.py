"""A processor notes that it lives and what came in, and loses nothing of that while Postgres is away."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from schemas.envelope import Envelope
from tests.processor.test_service import NOW, bounce, envelopes, parcel, processor, settings_for, until_answered
from tests.processor.test_unknown_accounts import CAREFUL, GENEROUS, loads, process, webhook
from tests.waiting import stays
from worker.contacts.accounts import make_accounts
from worker.errors import StoreUnavailable
from worker.local_services.process import free_port
from worker.processor import intake_counts, life_signs
from worker.processor.intake_counts import IntakeCounts
from worker.processor.life_signs import LifeSigns
from worker.processor.parcel_parts import LARGE_PARCEL_BYTES, parcel_parts
from worker.processor.parsing import ParsedDelivery
from worker.processor.service import run_processor
from worker.providers.bound_sources import BoundSources
from worker.queue.postgres import PostgresWriter
from worker.store.dead_letters import list_dead_letters
from worker.store.intake import forget_signs, note_sign, read_intake
from worker.store.pool import Pool, WriterPool, open_pool

_LOAD_WAITS = """
    SELECT count(*) > 0 FROM pg_locks
     WHERE NOT granted AND relation = 'status_changes'::regclass AND mode = 'RowExclusiveLock'
"""


def delivered(one: Envelope, *, is_part: bool = False) -> ParsedDelivery:
    return ParsedDelivery(envelope=one, events=[], is_part=is_part)


async def noted(pool: Pool) -> dict[tuple[str, str], int]:
    """The webhooks by account and source."""
    records = await pool.fetch("SELECT account, source, webhooks FROM intake")
    return {(record["account"], record["source"]): record["webhooks"] for record in records}


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> IntakeCounts:
    """Those of a process that has just begun."""
    fresh = IntakeCounts()
    monkeypatch.setattr(intake_counts, "_counts", fresh)
    return fresh


async def test_a_webhook_with_events_of_many_accounts_is_one_webhook_and_counts_once_for_each(
    pool: WriterPool, counts: IntakeCounts
) -> None:
    writer = loads(pool, GENEROUS)
    await process(writer, webhook("shop-1", "shop-2", "shop-1"), webhook("shop-1"))
    await process(writer, webhook("shop-2"))
    await counts.note(pool)
    assert await noted(pool) == {("", "scripts"): 3, ("shop-1", "scripts"): 2, ("shop-2", "scripts"): 2}
    async with pool.acquire() as connection:
        assert [one.webhooks for one in await read_intake(connection, None)] == [3]


@pytest.mark.slow
async def test_a_large_webhook_counts_once_however_many_parts_it_is_stored_in(
    pool: WriterPool, counts: IntakeCounts
) -> None:
    accounts = [f"shop-{number % 2}" for number in range(12_000)]
    large = webhook(*accounts)
    assert len(large.body) > LARGE_PARCEL_BYTES
    assert len(list(parcel_parts(parcel([large]), sources=BoundSources([GENEROUS]), now=NOW))) > 1
    await process(loads(pool, GENEROUS), large, webhook("shop-0"))
    await counts.note(pool)
    assert await noted(pool) == {("", "scripts"): 2, ("shop-0", "scripts"): 2, ("shop-1", "scripts"): 1}


async def test_what_is_set_aside_came_in_all_the_same(pool: WriterPool, counts: IntakeCounts) -> None:
    await make_accounts(pool, ["default", "shop-1"], now=NOW, actor="jane")
    writer = loads(pool, CAREFUL)
    whole = webhook("shop-1")
    half_read = msgspec.structs.replace(whole, body=whole.body[:-1] + b', {"event": 7}]')
    await process(writer, half_read)
    await counts.note(pool)
    assert await noted(pool) == {("", "scripts"): 1, ("default", "scripts"): 1, ("shop-1", "scripts"): 1}
    later = NOW + timedelta(minutes=1)
    for aside in (
        msgspec.structs.replace(webhook("shop-1"), body=b"<the vendor changed its format>"),
        msgspec.structs.replace(webhook("shop-1"), provider="later"),
        webhook("nobody made this"),
    ):
        await process(writer, msgspec.structs.replace(aside, received_at=later))
    await writer.give_up(parcel([webhook("shop-1")]), reason="stops_workers", detail="it does")
    await writer.give_up(b"no parcel", reason="stops_workers", detail="it does")
    await counts.note(pool)
    assert len(await list_dead_letters(pool)) == 6
    assert await noted(pool) == {("", "scripts"): 5, ("default", "scripts"): 5, ("shop-1", "scripts"): 1}
    async with pool.acquire() as connection:
        assert [one.last_received_at for one in await read_intake(connection, None)] == [later]


async def test_a_processor_shows_that_it_lives_before_its_first_load(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life_signs, "_EVERY_SECONDS", 1_000)
    async with processor(settings_for(database_dsn, None)):
        await until_answered(database_dsn, "SELECT count(*) FROM processor_signs WHERE waiting_parcels = 0", 1)


async def test_a_processor_that_stops_shows_that_it_lives_until_its_last_load_is_stored_and_counted(
    database_dsn: str, postgres_writer: PostgresWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life_signs, "_EVERY_SECONDS", 0.05)
    stop, connection = asyncio.Event(), await asyncpg.connect(database_dsn)
    task = asyncio.create_task(run_processor(settings_for(database_dsn, None), stop))
    await until_answered(database_dsn, "SELECT count(*) FROM processor_signs", 1)

    async def alive() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM processor_signs"))

    async with connection.transaction():
        await connection.execute("LOCK TABLE status_changes IN ACCESS EXCLUSIVE MODE")
        await postgres_writer.put(parcel(envelopes([bounce("last@example.org")])))
        await until_answered(database_dsn, _LOAD_WAITS, answer=True)
        stop.set()
        await stays(alive, "it lives", seconds=1)
        assert not task.done()
    await task
    assert not await alive()
    assert await connection.fetchval("SELECT webhooks FROM intake WHERE account = 'default'") == 1
    await connection.close()


async def test_a_sign_bears_the_time_of_postgres(pool: WriterPool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await note_sign(connection, uuid4(), oldest_age_seconds=1, waiting_parcels=1)
        assert await connection.fetchval("SELECT noted_at = now() FROM processor_signs")


@pytest.mark.parametrize(("of_rabbitmq", "waiting_parcels"), [(3, 5), (None, None)])
async def test_where_a_queue_cannot_be_measured_nobody_claims_to_know_what_waits(
    pool: WriterPool, of_rabbitmq: int | None, waiting_parcels: int | None
) -> None:
    await LifeSigns(pool, {"postgres": 2, "rabbitmq": of_rabbitmq}).note()
    assert await pool.fetchval("SELECT waiting_parcels FROM processor_signs") == waiting_parcels


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
    latest = await connection.fetchval("SELECT max(last_received_at) FROM intake")
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
    assert await noted(pool) == {("", "test"): 2, ("default", "test"): 1}


async def test_the_sign_of_a_processor_that_was_killed_is_forgotten_after_a_day(pool: WriterPool) -> None:
    now = datetime.now(UTC)
    for hours in (1, 25):
        await pool.execute(
            "INSERT INTO processor_signs VALUES (gen_random_uuid(), $1, 0, 0)", now - timedelta(hours=hours)
        )
    await forget_signs(pool)
    assert await pool.fetchval("SELECT count(*) FROM processor_signs") == 1

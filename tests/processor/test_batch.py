"""A batch is committed, split or given back: it never stops the processor, and never keeps it from stopping."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import pytest

from schemas.envelope import encode_envelope, encode_parcel
from schemas.vocabulary import Cause, Kind
from tests.processor.consumers import consumer_of
from tests.processor.test_service import bounce, envelopes, until_answered
from tests.schemas.feedback_events import START, make_event
from tests.waiting import until
from worker.contacts.applying import BatchRules
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.settings.tree import ProcessorSettings
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool

RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=1))


async def test_a_contact_that_cannot_be_read_sets_only_its_own_events_aside(pool: WriterPool) -> None:
    writer = BatchWriter(pool, RULES)
    names = [f"user{number}@example.org" for number in range(9)]
    strikes = [make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, address=name) for name in names]
    await writer.commit(strikes)
    await pool.execute("UPDATE contacts SET facts_detail = 'damaged' WHERE address = $1", names[4])

    complaints = [make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, address=name, day=1) for name in names]
    committed = await writer.commit(complaints)

    assert [refused.event.address for refused in committed.refused] == [names[4]]
    assert "this is a bug, please report it" in committed.refused[0].detail
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE status = 'complained'") == 8


async def test_an_event_that_no_code_of_ours_can_handle_is_found_by_halving(pool: WriterPool) -> None:
    sound = [make_event(Kind.DELIVERED, address=f"user{number}@example.org") for number in range(6)]
    impossible = msgspec.structs.replace(sound[0], occurred_at=datetime(2026, 3, 1), event_key=b"impossible")  # noqa: DTZ001 - that is what is wrong with it

    committed = await BatchWriter(pool, RULES).commit([*sound[:3], impossible, *sound[3:]])

    assert [refused.event for refused in committed.refused] == [impossible]
    assert await pool.fetchval("SELECT count(*) FROM log") == len(sound)


async def test_a_processor_that_stops_while_postgres_is_away_gives_back_what_it_holds(
    database_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    queue, reader = await PostgresWriter.open(database_dsn), await PostgresReader.open(database_dsn)
    await queue.put(encode_parcel([encode_envelope(one) for one in envelopes([bounce("gone@example.org")])]))
    away = await open_writer_pool(database_dsn, connections=2, command_timeout_seconds=5, idle_connections=0)
    away.terminate()
    stop = asyncio.Event()
    running = asyncio.create_task(consumer_of(reader, away, stop).run(stop))
    await until(lambda: "batch.retried" in capsys.readouterr().err, "the line that tells of a second try")

    stop.set()
    async with asyncio.timeout(5):
        await running

    [lease] = await reader.take(max_parcels=1, max_wait_seconds=5)
    assert lease.delivery_count >= 1
    await reader.close()
    await queue.close()


async def test_a_load_grows_while_the_one_before_it_is_stored(pool: WriterPool, database_dsn: str) -> None:
    queue, reader = await PostgresWriter.open(database_dsn), await PostgresReader.open(database_dsn)
    for number in range(40):
        [one] = envelopes([bounce(f"user{number}@example.org")])
        padding = b',"Padding":"%s"}' % (b"x" * 90_000)  # eleven are what is taken at once, and forty fit into a load
        await queue.put(encode_parcel([encode_envelope(msgspec.structs.replace(one, body=one.body[:-1] + padding))]))
    stop = asyncio.Event()
    consumer = consumer_of(reader, pool, stop, ProcessorSettings(batch_max_wait_seconds=0.0001))
    async with pool.acquire() as holder:
        held_up = holder.transaction()
        await held_up.start()
        await holder.execute("LOCK contacts IN EXCLUSIVE MODE")
        running = asyncio.create_task(consumer.run(stop))
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries WHERE lent_to = 0", 0)
        await held_up.rollback()
    await until_answered(database_dsn, "SELECT count(*) FROM contacts", 40)
    stop.set()
    await running
    await reader.close()
    await queue.close()

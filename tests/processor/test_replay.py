"""Dead letters back into the queue, on a real queue in a real Postgres."""

from datetime import UTC, datetime

from schemas.envelope import Envelope, decode_envelope, decode_parcel, encode_envelope, encode_parcel, new_delivery_id
from schemas.lane import Lane
from worker.processor.parsing import unreadable
from worker.processor.replay import replay_dead_letters
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.store.dead_letters import SetAsideDelivery, discard_dead_letters, list_dead_letters, put_aside
from worker.store.pool import Pool

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def envelope(source: str = "mailgun-eu") -> Envelope:
    return Envelope(
        delivery_id=new_delivery_id(),
        source=source,
        provider="mailgun",
        account="default",
        received_at=NOON,
        content_type="application/json",
        headers={},
        body=b'{"unreadable": "so far"}',
    )


async def set_aside(pool: Pool, *envelopes: Envelope) -> list[int]:
    async with pool.acquire() as connection:
        await put_aside(
            connection,
            [SetAsideDelivery(envelope=one, reason="unreadable_payload", detail="why") for one in envelopes],
            at=NOON,
        )
    return [letter.id for letter in await list_dead_letters(pool)]


async def queued(postgres_reader: PostgresReader) -> list[Envelope]:
    leases = await postgres_reader.take(max_parcels=100, max_wait_seconds=0.2)
    await postgres_reader.acknowledge(leases)
    return [decode_envelope(blob) for lease in leases for blob in decode_parcel(lease.parcel)]


async def test_open_letters_are_queued_as_they_came_in_and_closed(
    pool: Pool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    envelopes = [envelope() for _ in range(3)]
    ids = await set_aside(pool, *envelopes)
    replayed = await replay_dead_letters(pool, postgres_writer, person="ada", now=NOON, note="fixed")
    assert sorted(replayed.queued) == sorted(ids)
    assert await postgres_reader.depths() == {Lane(source="mailgun-eu", bulk=True): 3}  # behind live events
    assert replayed.still_unreadable == ()
    assert sorted(await queued(postgres_reader), key=lambda one: one.delivery_id) == sorted(
        envelopes, key=lambda one: one.delivery_id
    )
    assert await list_dead_letters(pool) == []
    assert {letter.closed_by for letter in await list_dead_letters(pool, only_open=False)} == {"ada"}


async def test_a_dry_run_queues_and_closes_nothing(
    pool: Pool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    ids = await set_aside(pool, envelope())
    replayed = await replay_dead_letters(pool, postgres_writer, person="ada", now=NOON, dry_run=True)
    assert list(replayed.queued) == ids
    assert await queued(postgres_reader) == []
    assert len(await list_dead_letters(pool)) == 1


async def test_only_what_was_chosen_is_queued(
    pool: Pool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    mailgun, postmark = envelope(), envelope("postmark")
    await set_aside(pool, mailgun, postmark)
    await replay_dead_letters(pool, postgres_writer, source="postmark", person="ada", now=NOON)
    assert await queued(postgres_reader) == [postmark]
    (left,) = await list_dead_letters(pool)
    await replay_dead_letters(pool, postgres_writer, ids=[left.id, 999], person="ada", now=NOON)
    assert await queued(postgres_reader) == [mailgun]


async def test_a_discarded_letter_is_queued_only_when_it_is_named(
    pool: Pool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    given = envelope()
    (number,) = await set_aside(pool, given)
    await discard_dead_letters(pool, [number], at=NOON, person="ada", note="by mistake")
    assert (await replay_dead_letters(pool, postgres_writer, person="ada", now=NOON)).queued == ()
    assert (await replay_dead_letters(pool, postgres_writer, ids=[number], person="ada", now=NOON)).queued == (number,)
    assert await queued(postgres_reader) == [given]


async def test_more_letters_than_are_held_in_memory_at_once_are_all_queued(
    pool: Pool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    await set_aside(pool, *[envelope() for _ in range(120)])
    assert len((await replay_dead_letters(pool, postgres_writer, person="ada", now=NOON)).queued) == 120
    assert len(await queued(postgres_reader)) + len(await queued(postgres_reader)) == 120


async def test_bytes_that_were_no_envelope_are_queued_once_they_can_be_read(
    pool: Pool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    one, other = envelope(), envelope()
    async with pool.acquire() as connection:
        await put_aside(
            connection,
            [
                unreadable(encode_envelope(one), "an older version could not", now=NOON),
                unreadable(encode_parcel([encode_envelope(other)]), "an older version could not", now=NOON),
                unreadable(b"never an envelope", "no msgpack", now=NOON),
            ],
            at=NOON,
        )
    replayed = await replay_dead_letters(pool, postgres_writer, person="ada", now=NOON)
    assert {found.delivery_id for found in await queued(postgres_reader)} == {one.delivery_id, other.delivery_id}
    assert len(replayed.queued) == 2
    (left,) = await list_dead_letters(pool)
    assert replayed.still_unreadable == (left.id,)

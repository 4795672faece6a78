"""The processor as a whole, on a real Postgres and a real RabbitMQ: parcels in, statuses out."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
import aiohttp
import asyncpg
import msgspec
import pytest

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.lane import SHARED_LANE
from schemas.queue_topology import CONTACTS_EXCHANGE, lane_queue
from schemas.vocabulary import Cause, Kind
from tests.process_roles import as_process
from tests.waiting import until
from worker.local_services.process import free_port
from worker.processor.replay import replay_dead_letters
from worker.processor.service import run_processor
from worker.queue.postgres import PostgresWriter
from worker.queue.rabbitmq import RabbitMQWriter
from worker.samples.postmark import PostmarkSamples
from worker.samples.sample import SampleEvent
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings
from worker.store.dead_letters import list_dead_letters, read_dead_letters
from worker.store.pool import Pool

NOW = datetime.now(UTC)
Query = Callable[..., Any]


def settings_for(dsn: str, rabbitmq_url: str | None, **processor: int) -> Settings:
    queue = {"adapter": "postgres"} if rabbitmq_url is None else {"adapter": "rabbitmq", "url": rabbitmq_url}
    overrides = {
        "postgres.url": as_process(dsn, "processor"),
        **{f"queue.{name}": text for name, text in queue.items()},
        "processor.relay_every_seconds": "0.05",
        "processor.sweep_every_seconds": "0.2",
        **{f"processor.{name}": str(number) for name, number in processor.items()},
    }
    return load_settings(config_file=None, environment={}, overrides=overrides)


@asynccontextmanager
async def processor(settings: Settings) -> AsyncIterator[None]:
    """A running processor that is stopped in good order."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_processor(settings, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def until_answered(dsn: str, question: str, answer: object, *, within_seconds: float = 20) -> None:
    """Waits for the database to give this answer."""
    connection = await asyncpg.connect(dsn)
    found = None

    async def is_answered() -> bool:
        nonlocal found
        found = await connection.fetchval(question)
        return bool(found == answer)

    try:
        await until(is_answered, f"{answer!r} to {question}", seconds=within_seconds, show=lambda: f"found: {found!r}")
    finally:
        await connection.close()


def envelopes(events: Sequence[SampleEvent]) -> list[Envelope]:
    return [envelope(request.body) for request in PostmarkSamples().requests(events, now=NOW)]


def envelope(body: bytes, *, provider: str = "postmark", delivery_id: UUID | None = None) -> Envelope:
    return Envelope(
        delivery_id=delivery_id or new_delivery_id(),
        source="test",
        provider=provider,
        account="default",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=body,
    )


def parcel(envelopes: Sequence[Envelope]) -> bytes:
    return encode_parcel([encode_envelope(envelope) for envelope in envelopes])


def bounce(address: str, *, days_ago: float = 1) -> SampleEvent:
    return SampleEvent(
        address=address,
        kind=Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        occurred_at=NOW - timedelta(days=days_ago),
        message_id=f"message-for-{address}",
        diagnostic="smtp;550 5.1.1 no such user here",
    )


async def test_a_parcel_in_rabbitmq_becomes_a_blocked_contact_and_an_announcement(
    database_dsn: str, rabbitmq_url: str
) -> None:
    broker = await aio_pika.connect(rabbitmq_url)
    async with broker, processor(settings_for(database_dsn, rabbitmq_url)):
        channel = await broker.channel()
        listener = await channel.declare_queue(exclusive=True)
        exchange = await channel.declare_exchange(CONTACTS_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        await listener.bind(exchange, "contact.status.#")
        writer = await RabbitMQWriter.open(rabbitmq_url)

        await writer.put(parcel(envelopes([bounce("gone@example.org")])))

        await until_answered(
            database_dsn, "SELECT status FROM contacts WHERE address = 'gone@example.org'", "blocklisted"
        )
        async with asyncio.timeout(10):
            async with listener.iterator() as messages:
                message = await anext(aiter(messages))
        assert message.routing_key == "contact.status.blocklisted"
        assert msgspec.json.decode(message.body)["address"] == "gone@example.org"
        told = "SELECT fresh_position FROM feed_followers WHERE name = 'exchange'"
        await until_answered(database_dsn, told, 1)
        await writer.close()


async def test_a_parcel_parked_in_postgres_is_drained_as_well(
    database_dsn: str, postgres_writer: PostgresWriter
) -> None:
    await postgres_writer.put(parcel(envelopes([bounce("gone@example.org")])))

    async with processor(settings_for(database_dsn, None)):
        await until_answered(database_dsn, "SELECT status FROM contacts", "blocklisted")
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)


async def test_poison_of_every_sort_is_set_aside_and_its_neighbours_are_applied(
    database_dsn: str, postgres_writer: PostgresWriter
) -> None:
    good = [encode_envelope(one) for one in envelopes([bounce("a@example.org"), bounce("b@example.org")])]
    unreadable = encode_envelope(envelope(b'{"RecordType": "Bounce"'))
    unknown = encode_envelope(envelope(b"{}", provider="no-such-esp"))

    async with processor(settings_for(database_dsn, None)):
        await postgres_writer.put(b"no parcel at all")
        await postgres_writer.put(encode_parcel([good[0], unreadable, b"no envelope", unknown, good[1]]))

        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 2)
        await until_answered(
            database_dsn,
            "SELECT string_agg(reason, ' ' ORDER BY reason) FROM dead_letters",
            "unknown_provider unreadable_envelope unreadable_envelope unreadable_payload",
        )
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)


async def test_one_bad_event_is_set_aside_as_its_bytes_and_replay_brings_it_back_alone(
    database_dsn: str, pool: Pool, postgres_writer: PostgresWriter
) -> None:
    good = [{"email": f"{name}@example.org", "event": "bounce", "type": "bounce", "status": "5.1.1"} for name in "ab"]
    bad = b'{"email":"\\ud800","event":"bounce"}'
    body = b"[%b,%b,%b]" % (json.dumps(good[0]).encode(), bad, json.dumps(good[1]).encode())
    async with processor(settings_for(database_dsn, None)):
        await postgres_writer.put(encode_parcel([encode_envelope(envelope(body, provider="sendgrid"))]))
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 2)
        await until_answered(database_dsn, "SELECT reason FROM dead_letters", "unreadable_events")
        [letter] = await list_dead_letters(pool)
        [content] = await read_dead_letters(pool, [letter.id])
        assert content.envelope.body == b"[" + bad + b"]"

        await replay_dead_letters(pool, postgres_writer, person="ada", now=datetime.now(UTC))
        await until_answered(database_dsn, "SELECT attempts FROM dead_letters WHERE replayed_at IS NULL", 2)
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)
        assert [one.id for one in await list_dead_letters(pool)] == [letter.id]


async def test_a_large_body_takes_effect_part_by_part_and_is_taken_off_the_queue(
    database_dsn: str, postgres_writer: PostgresWriter
) -> None:
    bad = b'{"email":"\\ud800"}'
    elements = [
        b'{"email":"a%d@example.org","event":"bounce","type":"bounce","status":"5.1.1","zz":"%b"}'
        % (number, b"x" * 9_000)
        for number in range(300)
    ]
    body = b"[" + b",".join([*elements[:150], bad, *elements[150:]]) + b"]"
    async with processor(settings_for(database_dsn, None)):
        await postgres_writer.put(encode_parcel([encode_envelope(envelope(body, provider="sendgrid"))]))
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 300)
        await until_answered(database_dsn, "SELECT reason FROM dead_letters", "unreadable_events")
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)
        await until_answered(database_dsn, "SELECT count(*) FROM log", 300)


async def test_a_delivery_that_postgres_refuses_is_found_and_set_aside(
    database_dsn: str, postgres_writer: PostgresWriter
) -> None:
    connection = await asyncpg.connect(database_dsn)
    # Stands for any defect of ours that lets a value through which a column refuses.
    await connection.execute("ALTER TABLE entries ADD CHECK (message_id <> 'message-for-poison@example.org')")
    names = [f"user{number}@example.org" for number in range(30)]
    await postgres_writer.put(
        parcel(envelopes([bounce(name) for name in [*names[:17], "poison@example.org", *names[17:]]]))
    )

    async with processor(settings_for(database_dsn, None)):
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", len(names))
        await until_answered(database_dsn, "SELECT string_agg(reason, ' ') FROM dead_letters", "store_refused")
    await connection.close()


async def test_events_of_months_without_a_partition_get_one(database_dsn: str, postgres_writer: PostgresWriter) -> None:
    await postgres_writer.put(parcel(envelopes([bounce("old@example.org", days_ago=200)])))

    async with processor(settings_for(database_dsn, None)):
        await until_answered(database_dsn, "SELECT count(*) FROM log", 1)


async def test_what_lands_in_the_brokers_dead_letter_queue_is_moved_to_dead_letters(
    database_dsn: str, rabbitmq_url: str
) -> None:
    writer = await RabbitMQWriter.open(rabbitmq_url)
    await writer.put(parcel(envelopes([bounce("a@example.org"), bounce("b@example.org")])))
    async with await aio_pika.connect(rabbitmq_url) as broker:
        queue = await (await broker.channel()).get_queue(lane_queue(SHARED_LANE))
        message = await queue.get(timeout=5)
        assert message is not None
        await message.reject(requeue=False)  # as a policy of the broker does with what is too old

    async with processor(settings_for(database_dsn, rabbitmq_url)):
        await until_answered(database_dsn, "SELECT count(*) FROM dead_letters WHERE reason = 'given_up_by_queue'", 2)
    await writer.close()


async def test_a_stopped_postgres_is_waited_for(database_dsn: str, postgres_writer: PostgresWriter) -> None:
    async with processor(settings_for(database_dsn, None)):
        connection = await asyncpg.connect(database_dsn)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bouncekeeper%'"
            " AND pid <> pg_backend_pid()"
        )
        await connection.close()
        await postgres_writer.put(parcel(envelopes([bounce("gone@example.org")])))

        await until_answered(database_dsn, "SELECT status FROM contacts", "blocklisted")


@pytest.mark.parametrize("batch_max_events", [1, 3, 1000])
async def test_any_batch_size_applies_every_event_once(
    database_dsn: str, postgres_writer: PostgresWriter, batch_max_events: int
) -> None:
    events = [bounce(f"user{number}@example.org") for number in range(25)]
    sent = envelopes(events)
    for start in range(0, 25, 4):
        await postgres_writer.put(parcel(sent[start : start + 4]))
        await postgres_writer.put(parcel(sent[start : start + 4]))

    async with processor(settings_for(database_dsn, None, batch_max_events=batch_max_events)):
        await until_answered(database_dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 25)
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)
        await until_answered(database_dsn, "SELECT count(*) FROM log", 25)
        await until_answered(database_dsn, "SELECT count(*) FROM status_changes", 25)


async def test_a_processor_tells_of_itself_over_http(database_dsn: str) -> None:
    port = free_port()
    async with (
        processor(settings_for(database_dsn, None, port=port)),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http,
    ):

        async def readiness() -> Any:
            async with http.get("/readyz") as answer:
                return await answer.json()

        ready = await until(readiness, "an answer of the probe", not_yet=aiohttp.ClientConnectionError)
        assert ready == {"ready": True, "missing": []}
        async with http.get("/metrics") as numbers:
            assert "bouncekeeper_batches_total" in await numbers.text()
        async with http.get("/healthz") as alive:
            assert alive.status == 200


async def test_a_one_time_token_is_good_for_one_event_whichever_receiver_took_it(database_dsn: str) -> None:
    first, forged = envelopes([bounce("gone@example.org"), bounce("victim@example.org")])

    def using(one: Envelope, fingerprint: str) -> Envelope:
        return msgspec.structs.replace(
            one, replay_token="token-1", replay_fingerprint=fingerprint, replay_window_seconds=3600
        )

    writer = await PostgresWriter.open(database_dsn)
    async with processor(settings_for(database_dsn, None)):
        await writer.put(parcel([using(first, "gone")]))
        await until_answered(database_dsn, "SELECT count(*) FROM contacts", 1)
        # The vendor's own retry, taken by another receiver, and a forgery with the token that somebody has seen.
        again = msgspec.structs.replace(using(first, "gone"), delivery_id=new_delivery_id())
        # It is one at another source with the same key, too.
        elsewhere = msgspec.structs.replace(using(forged, "victim"), delivery_id=new_delivery_id(), source="second")
        await writer.put(parcel([again, using(forged, "victim"), elsewhere]))

        await until_answered(
            database_dsn, "SELECT string_agg(reason, ' ') FROM dead_letters", "replayed_token replayed_token"
        )
        await until_answered(database_dsn, "SELECT count(*) FROM parked_deliveries", 0)
        await until_answered(database_dsn, "SELECT string_agg(address, ' ') FROM contacts", "gone@example.org")
    await writer.close()


async def test_two_uses_of_a_token_in_one_load_let_the_first_one_in(database_dsn: str) -> None:
    first, forged = (
        msgspec.structs.replace(one, replay_token="token-1", replay_fingerprint=str(number), replay_window_seconds=60)
        for number, one in enumerate(envelopes([bounce("gone@example.org"), bounce("victim@example.org")]))
    )
    writer = await PostgresWriter.open(database_dsn)
    await writer.put(parcel([first, forged]))
    async with processor(settings_for(database_dsn, None)):
        await until_answered(database_dsn, "SELECT string_agg(reason, ' ') FROM dead_letters", "replayed_token")
        await until_answered(database_dsn, "SELECT string_agg(address, ' ') FROM contacts", "gone@example.org")
    await writer.close()


async def test_what_an_earlier_processor_stored_during_an_upgrade_is_joined(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    try:
        await connection.executemany(
            "INSERT INTO contacts (account, channel, address, first_seen_at) VALUES ('default', 'email', $1, now())",
            [("jane@example.org",), ('"jane"@example.org',), ('"joe"@example.org',)],
        )
    finally:
        await connection.close()
    async with processor(settings_for(database_dsn, None)):
        await until_answered(
            database_dsn,
            "SELECT string_agg(address, ' ' ORDER BY address) FROM contacts",
            "jane@example.org joe@example.org",
        )

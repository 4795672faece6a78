"""Many status changes with one wait for all confirms: what is confirmed is there, and what is not fails the batch."""

import asyncio
import json
import time
from typing import Any

import aio_pika
import pamqp.commands
import pamqp.frame
import pytest
from aio_pika.abc import AbstractChannel, AbstractQueue
from hypothesis import given
from hypothesis import strategies as st
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from schemas.queue_topology import CONTACTS_EXCHANGE, status_routing_key
from tests.queue.queue_kit import RabbitMQKit
from tests.waiting import until
from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.queue.amqp_frames import message_frames
from worker.queue.topic_publisher import TopicPublisher

BLOCKED = status_routing_key("blocklisted")


@given(
    body=st.binary(max_size=700),
    routing_key=st.text(st.characters(codec="ascii"), max_size=100),
    message_id=st.text(st.characters(codec="ascii"), min_size=1, max_size=255),
    channel=st.integers(1, 65_535),
    max_frame_bytes=st.integers(9, 400),
)
def test_the_frames_are_what_the_library_would_write(
    body: bytes, routing_key: str, message_id: str, channel: int, max_frame_bytes: int
) -> None:
    written = message_frames(
        body,
        exchange=CONTACTS_EXCHANGE,
        routing_key=routing_key,
        message_id=message_id,
        channel=channel,
        max_frame_bytes=max_frame_bytes,
    )
    header = ContentHeader(
        body_size=len(body),
        properties=pamqp.commands.Basic.Properties(
            content_type="application/json", delivery_mode=2, message_id=message_id
        ),
    )
    step = max_frame_bytes - 8
    frames: list[Frame | ContentHeader | ContentBody] = [
        pamqp.commands.Basic.Publish(exchange=CONTACTS_EXCHANGE, routing_key=routing_key),
        header,
        *(ContentBody(body[start : start + step]) for start in range(0, len(body), step)),
    ]
    assert written == b"".join(pamqp.frame.marshal(frame, channel) for frame in frames)


async def bound_queue(channel: AbstractChannel, arguments: dict[str, Any] | None = None) -> AbstractQueue:
    queue = await channel.declare_queue("an-application", durable=True, arguments=arguments)
    await queue.bind(CONTACTS_EXCHANGE, "contact.status.#")
    return queue


async def bodies(queue: AbstractQueue, count: int) -> list[bytes]:
    messages = [await queue.get(timeout=5, no_ack=True) for _ in range(count)]
    return [message.body for message in messages if message is not None]


async def test_messages_of_any_size_arrive_whole_and_in_order(rabbitmq_url: str) -> None:
    publisher = await TopicPublisher.open(rabbitmq_url)
    sizes = [0, 1, 131_063, 131_064, 131_065, 400_000, 2]
    async with await aio_pika.connect(rabbitmq_url) as connection:
        queue = await bound_queue(await connection.channel())
        await publisher.publish_many([(BLOCKED, f"id-{size}", b"x" * size) for size in sizes])
        assert [len(body) for body in await bodies(queue, len(sizes))] == sizes
    await publisher.close()


@pytest.mark.slow
async def test_batches_at_once_are_each_confirmed_and_none_is_lost(rabbitmq_url: str) -> None:
    publisher = await TopicPublisher.open(rabbitmq_url)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        queue = await bound_queue(await connection.channel())
        batches = [
            [(BLOCKED, f"{batch}-{number}", json.dumps([batch, number]).encode()) for number in range(300)]
            for batch in range(4)
        ]
        await asyncio.gather(*(publisher.publish_many(batch) for batch in batches))
        told = [json.loads(body) for body in await bodies(queue, 1200)]
        for batch in range(4):
            assert [number for origin, number in told if origin == batch] == list(range(300))
    await publisher.close()


async def test_a_message_that_a_full_queue_refuses_fails_its_batch_and_the_next_one_is_taken(
    rabbitmq_url: str,
) -> None:
    publisher = await TopicPublisher.open(rabbitmq_url)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        limits = {"x-max-length": 3, "x-overflow": "reject-publish"}
        queue = await bound_queue(await connection.channel(), limits)
        with pytest.raises(QueueUnavailable):
            await publisher.publish_many([(BLOCKED, f"id-{number}", b"{}") for number in range(50)])
        await queue.purge()

        async def is_taken() -> bool:
            try:
                await publisher.publish_many([(BLOCKED, "id-51", b"51")])
            except QueueUnavailable:
                return False  # the broker notices a little later that there is room again
            return True

        await until(is_taken, "the emptied queue to take a message", seconds=10)
        assert await bodies(queue, 1) == [b"51"]
    await publisher.close()


async def test_an_exchange_that_is_gone_fails_the_batch_and_is_declared_again(rabbitmq_url: str) -> None:
    publisher = await TopicPublisher.open(rabbitmq_url)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.exchange_delete(CONTACTS_EXCHANGE)
        with pytest.raises(QueueUnavailable):
            await publisher.publish_many([(BLOCKED, f"id-{number}", b"{}") for number in range(50)])

        async def is_published() -> bool:
            await publisher.publish_many([(BLOCKED, "id-51", b"51")])
            return True

        await until(is_published, "the exchange to be made anew", not_yet=QueueUnavailable)
        await channel.get_exchange(CONTACTS_EXCHANGE)
    await publisher.close()


async def publish_for(publisher: TopicPublisher, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await publisher.publish_many([(BLOCKED, f"id-{number}", b"{}") for number in range(50)])


@pytest.mark.slow
async def test_a_broker_that_hangs_fails_the_batch_and_is_published_to_again_later(
    stoppable_rabbitmq_kit: RabbitMQKit,
) -> None:
    broker = stoppable_rabbitmq_kit.broker
    publisher = await TopicPublisher.open(stoppable_rabbitmq_kit.url, confirm_timeout_seconds=0.5)
    await broker.pause()
    try:
        with pytest.raises(QueueUnavailable, match="did not answer"):
            await publish_for(publisher, seconds=10)  # a broker that is being stopped may still confirm some
    finally:
        await broker.resume()
    await publisher.publish_many([(BLOCKED, "id-51", b"51")])
    await publisher.close()


async def test_a_declared_queue_keeps_every_change_before_anybody_reads_it(bare_rabbitmq_url: str) -> None:
    publisher = await TopicPublisher.open(bare_rabbitmq_url, queues=["crm", "newsletter"])
    await publisher.publish_many([(BLOCKED, "id-1", b"1"), (status_routing_key("active"), "id-2", b"2")])
    async with await aio_pika.connect(bare_rabbitmq_url) as connection:
        channel = await connection.channel()
        for name in ("crm", "newsletter"):
            assert await bodies(await channel.get_queue(name), 2) == [b"1", b"2"]
    await publisher.close()


async def test_a_declared_queue_that_exists_with_other_properties_stops_with_the_remedy(rabbitmq_url: str) -> None:
    async with await aio_pika.connect(rabbitmq_url) as connection:
        await (await connection.channel()).declare_queue("an-application", durable=True)
        with pytest.raises(ImpossibleSetting, match="rabbitmqctl delete_queue an-application"):
            await TopicPublisher.open(rabbitmq_url, queues=["an-application"])

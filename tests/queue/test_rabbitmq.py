"""What only the broker can do."""

import asyncio
import contextlib
import time
from collections.abc import Collection
from functools import partial
from typing import Any

import aio_pika
import pytest

from schemas.lane import SHARED_BULK_LANE, SHARED_LANE, Lane
from schemas.queue_topology import (
    CONTACTS_EXCHANGE,
    DEAD_QUEUE,
    DEAD_QUEUE_ARGUMENTS,
    FORMER_QUEUE,
    PARCELS_QUEUE_ARGUMENTS,
    SHARED_EXCHANGE,
    lane_queue,
    status_routing_key,
)
from tests.queue.queue_kit import RabbitMQKit
from tests.queue.virtual_hosts import LANES, QUIET
from tests.waiting import pause, stays, until
from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.local_services.rabbitmq import RabbitMQ
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter
from worker.queue.topic_publisher import TopicPublisher

SHARED_QUEUE = lane_queue(SHARED_LANE)


async def test_a_queue_with_other_arguments_stops_the_process_with_the_remedy(bare_rabbitmq_url: str) -> None:
    async with await aio_pika.connect(bare_rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(SHARED_QUEUE, durable=True)
        with pytest.raises(ImpossibleSetting, match=f"rabbitmqctl delete_queue {SHARED_QUEUE}"):
            await RabbitMQWriter.open(bare_rabbitmq_url)
        with pytest.raises(ImpossibleSetting, match="other properties"):
            await RabbitMQReader.open(bare_rabbitmq_url)


async def test_an_exchange_of_another_type_stops_the_process(bare_rabbitmq_url: str) -> None:
    async with await aio_pika.connect(bare_rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(CONTACTS_EXCHANGE, "fanout", durable=True)
        with pytest.raises(ImpossibleSetting, match=f"exchange {CONTACTS_EXCHANGE} exists"):
            await TopicPublisher.open(bare_rabbitmq_url)


async def test_a_wrong_password_or_virtual_host_stops_the_process(rabbitmq_url: str) -> None:
    scheme, _, rest = rabbitmq_url.partition("://")
    place = rest.rpartition("@")[2]
    with pytest.raises(ImpossibleSetting, match="check user, password and virtual host"):
        await RabbitMQWriter.open(f"{scheme}://nobody:wrong@{place}")
    with pytest.raises(ImpossibleSetting, match="virtual host exists"):
        await RabbitMQWriter.open(f"{rabbitmq_url.rpartition('/')[0]}/no-such-virtual-host")


async def test_no_message_of_ours_shows_the_password(rabbitmq_url: str) -> None:
    host = rabbitmq_url.rpartition("@")[2]
    with pytest.raises(ImpossibleSetting) as caught:
        await RabbitMQWriter.open(f"amqp://nobody:unspeakable@{host}")
    assert "unspeakable" not in str(caught.value)


async def test_parcels_are_persistent_in_a_quorum_queue_and_dead_ones_too(rabbitmq_url: str) -> None:
    writer = await RabbitMQWriter.open(rabbitmq_url)
    await writer.put(b"parcel")
    await writer.close()
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(SHARED_QUEUE)
        message = await queue.get(timeout=5)
        assert message is not None
        assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        for name, arguments in (
            (SHARED_QUEUE, PARCELS_QUEUE_ARGUMENTS),
            (DEAD_QUEUE, DEAD_QUEUE_ARGUMENTS),
        ):
            other = await connection.channel()
            with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed, match="quorum"):
                await other.declare_queue(name, durable=True, arguments={**arguments, "x-queue-type": "classic"})


async def test_a_parcel_that_no_queue_takes_is_refused_and_the_queue_made_anew(rabbitmq_url: str) -> None:
    writer = await RabbitMQWriter.open(rabbitmq_url)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(SHARED_QUEUE)
        await queue.unbind(SHARED_EXCHANGE, "live.#")
    with pytest.raises(QueueUnavailable, match="PublishError"):
        await writer.put(b"nowhere")
    await until(writer.available, "the writer to be available")
    await writer.put(b"somewhere")
    await writer.close()


async def test_the_broker_lends_no_more_than_the_prefetch_ahead(rabbitmq_url: str) -> None:
    writer = await RabbitMQWriter.open(rabbitmq_url)
    await asyncio.gather(*(writer.put(b"x") for _ in range(30)))
    greedy = await RabbitMQReader.open(rabbitmq_url, prefetch=10)
    assert len(await greedy.take(max_parcels=1, max_wait_seconds=5)) == 1
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()

        async def twenty_are_left() -> bool:
            queue = await channel.declare_queue(SHARED_QUEUE, passive=True)
            return queue.declaration_result.message_count == 20

        await until(twenty_are_left, "ten parcels to be lent")
        await stays(twenty_are_left, "no more than ten are lent", seconds=0.3)
    await greedy.close()
    await writer.close()


@pytest.mark.slow
@pytest.mark.alone
async def test_a_blocked_broker_is_refused_at_once_and_used_again_when_it_goes_on(
    stoppable_rabbitmq_kit: RabbitMQKit,
) -> None:
    broker = stoppable_rabbitmq_kit.broker
    writer = await RabbitMQWriter.open(stoppable_rabbitmq_kit.url, confirm_timeout_seconds=1)
    await writer.put(b"before")
    await broker.raise_memory_alarm()
    try:
        # The broker says that it blocks when it is published to; that one is never confirmed.
        with pytest.raises(QueueUnavailable):
            await writer.put(b"the one that finds out")
        assert not writer.available()
        started = time.monotonic()
        with pytest.raises(QueueUnavailable, match="blocks publishers"):
            await writer.put(b"refused")
        assert time.monotonic() - started < 0.1
    finally:
        await broker.clear_memory_alarm()
    await until(writer.available, "the writer to be available")
    await writer.put(b"after")
    await writer.close()


@pytest.mark.slow
@pytest.mark.alone
async def test_a_confirm_that_does_not_come_is_waited_for_as_long_as_said(
    stoppable_rabbitmq_kit: RabbitMQKit,
) -> None:
    broker = stoppable_rabbitmq_kit.broker
    writer = await RabbitMQWriter.open(stoppable_rabbitmq_kit.url, confirm_timeout_seconds=0.5)
    await broker.pause()
    try:
        started = time.monotonic()
        with pytest.raises(QueueUnavailable, match="did not answer"):
            await writer.put(b"never confirmed")
        assert 0.4 < time.monotonic() - started < 2
    finally:
        await broker.resume()
    await writer.put(b"confirmed")
    await writer.close()


@pytest.mark.slow
async def test_queues_made_a_moment_ago_survive_a_kill_of_the_broker(own_rabbitmq: RabbitMQ) -> None:
    [url] = await own_rabbitmq.create_virtual_hosts(["newborn"])
    writer = await RabbitMQWriter.open(url)
    await writer.put(b"confirmed")
    await own_rabbitmq.kill()
    await own_rabbitmq.restart()
    reader = await RabbitMQReader.open(url)
    [lease] = await reader.take(max_parcels=1, max_wait_seconds=10)
    assert lease.parcel == b"confirmed"
    await reader.close()
    await writer.close()


async def test_status_changes_reach_those_who_listen_for_them(rabbitmq_url: str) -> None:
    publisher = await TopicPublisher.open(rabbitmq_url)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("an-application", exclusive=True)
        await queue.bind(CONTACTS_EXCHANGE, status_routing_key("blocklisted"))
        await publisher.publish_many(
            [
                (status_routing_key("blocklisted"), "id-1", b'{"n":1}'),
                (status_routing_key("active"), "id-2", b'{"n":2}'),
                (status_routing_key("blocklisted"), "id-3", b'{"n":3}'),
            ]
        )
        first, second = await queue.get(timeout=5), await queue.get(timeout=5)
        assert first is not None
        assert second is not None
        assert [(m.message_id, m.body, m.content_type) for m in (first, second)] == [
            ("id-1", b'{"n":1}', "application/json"),
            ("id-3", b'{"n":3}', "application/json"),
        ]
        assert await queue.get(timeout=1, fail=False) is None
    await publisher.close()


async def test_a_thousand_status_changes_are_confirmed_though_nobody_listens(rabbitmq_url: str) -> None:
    publisher = await TopicPublisher.open(rabbitmq_url)
    await publisher.publish_many([(status_routing_key("active"), f"id-{n}", b"{}") for n in range(1000)])
    await publisher.publish_many([])
    await publisher.close()


@pytest.mark.slow
async def test_publishing_fails_while_the_broker_is_away_and_goes_on_afterwards(
    stoppable_rabbitmq_kit: RabbitMQKit,
) -> None:
    publisher = await TopicPublisher.open(stoppable_rabbitmq_kit.url)
    message = (status_routing_key("active"), "id-1", b"{}")
    await stoppable_rabbitmq_kit.stop()
    try:
        with pytest.raises(QueueUnavailable):
            await publisher.publish_many([message])
        assert not publisher.available()
    finally:
        await stoppable_rabbitmq_kit.start()
    await until(publisher.available, "the publisher to be available")
    await publisher.publish_many([message])
    await publisher.close()


async def test_a_source_that_no_processor_knows_yet_is_read_from_the_shared_queue(rabbitmq_url: str) -> None:
    writer, reader = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url)
    await writer.put(b"live", Lane(source="brand-new"))
    [live] = await reader.take(max_parcels=10, max_wait_seconds=5)
    assert (live.parcel, live.lane) == (b"live", SHARED_LANE)
    await writer.put(b"bulk", Lane(source="brand-new", bulk=True))
    [bulk] = await reader.take(max_parcels=10, max_wait_seconds=5)
    assert (bulk.parcel, bulk.lane) == (b"bulk", SHARED_BULK_LANE)
    await reader.close()
    await writer.close()


@pytest.mark.slow
async def test_a_source_has_a_queue_of_its_own_once_a_processor_follows_it(bare_rabbitmq_url: str) -> None:
    lane = Lane(source="brand-new")
    writer, reader = await RabbitMQWriter.open(bare_rabbitmq_url), await RabbitMQReader.open(bare_rabbitmq_url)
    assert await reader.follow([lane]) == []
    await writer.put(b"x", lane)
    [lease] = await reader.take(max_parcels=10, max_wait_seconds=5)
    assert lease.lane == lane
    await reader.close()
    another = await RabbitMQReader.open(bare_rabbitmq_url)
    gone = Lane(source="gone")
    assert await another.follow([], [lane, gone]) == [gone]
    [lease] = await another.take(max_parcels=10, max_wait_seconds=5)
    assert (lease.parcel, lease.lane) == (b"x", lane)
    await another.close()
    await writer.close()


async def test_a_lost_connection_takes_no_lane_away(rabbitmq_url: str) -> None:
    writer, reader = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url)
    await reader.follow(LANES)
    reader._connection.give_up("the test says so")
    await writer.put(b"x", QUIET)
    take = partial(reader.take, max_parcels=10, max_wait_seconds=0.5)
    leases = await until(take, "the parcel", not_yet=QueueUnavailable)
    assert [(lease.parcel, lease.lane) for lease in leases] == [(b"x", QUIET)]
    await reader.close()
    await writer.close()


async def _follows(reader: RabbitMQReader, lanes: Collection[Lane]) -> bool:
    try:
        await reader.follow(lanes)
    except QueueUnavailable:
        return False
    return True


async def test_a_lane_whose_queue_is_removed_goes_through_the_shared_one_until_it_is_made_anew(
    rabbitmq_url: str,
) -> None:
    writer, reader = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url)
    await reader.follow(LANES)
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(lane_queue(QUIET))
    await writer.put(b"x", QUIET)

    async def lane_of(parcel: bytes) -> Lane:
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(QueueUnavailable):
                    for lease in await reader.take(max_parcels=1, max_wait_seconds=0.5):
                        await reader.acknowledge([lease])
                        if lease.parcel == parcel:
                            return lease.lane

    assert await lane_of(b"x") == SHARED_LANE
    await until(lambda: _follows(reader, LANES), "the lanes to be followed again")
    await writer.put(b"y", QUIET)
    assert await lane_of(b"y") == QUIET
    await reader.close()
    await writer.close()


async def test_what_an_older_version_has_queued_is_read(bare_rabbitmq_url: str) -> None:
    arguments: dict[str, Any] = {**PARCELS_QUEUE_ARGUMENTS, "x-delivery-limit": 20}
    async with await aio_pika.connect(bare_rabbitmq_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(FORMER_QUEUE, durable=True, arguments=arguments)
        exchange = await channel.declare_exchange("bouncekeeper.webhooks", "direct", durable=True)
        await queue.bind(exchange, "parcel")
        await exchange.publish(aio_pika.Message(b"old"), "parcel")
    reader = await RabbitMQReader.open(bare_rabbitmq_url)
    [lease] = await reader.take(max_parcels=10, max_wait_seconds=5)
    assert lease.parcel == b"old"
    await reader.acknowledge([lease])
    await reader.close()


async def test_of_many_lanes_a_reader_is_lent_less_of_each(rabbitmq_url: str) -> None:
    writer, greedy = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url, prefetch=100)
    await greedy.follow(LANES)
    await asyncio.gather(*(writer.put(b"x", QUIET) for _ in range(120)))
    assert len(await greedy.take(max_parcels=1, max_wait_seconds=5)) == 1
    await pause(0.5, "whatever the broker would lend is lent by then")
    assert len(await greedy.take(max_parcels=200, max_wait_seconds=1)) == 256 // (2 + len(LANES)) - 1
    await greedy.close()
    await writer.close()

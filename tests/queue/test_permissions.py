"""The permissions of deploy/rabbitmq-permissions: the program runs with them, and what it must not do is refused."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused

from schemas.lane import Lane
from schemas.queue_topology import CONTACTS_EXCHANGE, DEAD_QUEUE, PARCELS_EXCHANGE, lane_queue
from worker.errors import ImpossibleSetting
from worker.local_services.rabbitmq import RabbitMQ
from worker.local_services.rabbitmq_node import RabbitMQNode
from worker.queue.port import Lease
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter
from worker.queue.topic_publisher import TopicPublisher

pytestmark = pytest.mark.slow  # gives a broker users, by a command that takes seconds

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "rabbitmq-permissions"
SHOP = Lane(source="shop")
CHANGES_QUEUE = "crm.changes"


@pytest.fixture
async def urls(rabbitmq_server: RabbitMQ, bare_rabbitmq_url: str) -> dict[str, str]:
    """A virtual host with nothing in it, under the URLs of the receiver's and the processor's user."""
    if not isinstance(rabbitmq_server, RabbitMQNode):
        pytest.skip("rabbitmqctl can only be asked of a broker that the tests have started")
    parts = urlsplit(bare_rabbitmq_url)
    vhost = parts.path.removeprefix("/")
    control = f"{rabbitmq_server._server.with_name('rabbitmqctl')} -n {rabbitmq_server._identity['node']}"
    environment = {**os.environ, **rabbitmq_server._environment(), "RABBITMQCTL": control}
    users = {"receiver": f"{vhost}-receiver", "processor": f"{vhost}-processor"}

    def prepare() -> None:
        for user in users.values():
            subprocess.run([*control.split(), "--quiet", "add_user", user, "pw"], env=environment, check=True)
        command = [str(SCRIPT), vhost, users["receiver"], users["processor"], CHANGES_QUEUE]
        subprocess.run(command, env=environment, check=True)

    await asyncio.to_thread(prepare)
    return {process: f"amqp://{user}:pw@{parts.hostname}:{parts.port}{parts.path}" for process, user in users.items()}


@asynccontextmanager
async def processor(url: str) -> AsyncIterator[RabbitMQReader]:
    """All connections of a processor."""
    reader, dead = await RabbitMQReader.open(url), await RabbitMQReader.open_dead(url)
    publisher = await TopicPublisher.open(url, queues=[CHANGES_QUEUE])
    try:
        await reader.follow([SHOP])
        await publisher.publish_many([("contact.status.blocklisted", "id", b"{}")])
        yield reader
    finally:
        for opened in (reader, dead, publisher):
            await opened.close()


async def is_refused(url: str, attempt: Callable[[AbstractChannel], Awaitable[object]]) -> bool:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        try:
            await attempt(channel)
        except (ChannelAccessRefused, aio_pika.exceptions.ChannelClosed) as error:
            return "ACCESS_REFUSED" in str(error)
        return False


def publish(exchange: str, key: str) -> Callable[[AbstractChannel], Awaitable[object]]:
    async def attempt(channel: AbstractChannel) -> None:
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        await target.publish(aio_pika.Message(b"mine"), key, mandatory=False)

    return attempt


async def test_with_these_permissions_a_parcel_goes_from_the_receiver_to_the_processor(urls: dict[str, str]) -> None:
    with pytest.raises(ImpossibleSetting, match="start a processor first"):
        await RabbitMQWriter.open(urls["receiver"])
    async with processor(urls["processor"]) as reader:
        writer = await RabbitMQWriter.open(urls["receiver"])
        await writer.put(b"of a source", SHOP)
        await writer.put(b"of another", Lane(source="unknown"))
        leases: list[Lease] = []
        while len(leases) < 2:
            leases += await reader.take(max_parcels=2, max_wait_seconds=10)
        assert {lease.parcel for lease in leases} == {b"of a source", b"of another"}
        await reader.acknowledge(leases)
        await writer.close()


async def test_what_a_user_must_not_do_is_refused(urls: dict[str, str]) -> None:
    shop = lane_queue(SHOP)
    async with processor(urls["processor"]):
        receiver, processing = urls["receiver"], urls["processor"]

        async def read(channel: AbstractChannel) -> None:
            await (await channel.get_queue(shop, ensure=False)).get(fail=False)

        async def read_dead(channel: AbstractChannel) -> None:
            await (await channel.get_queue(DEAD_QUEUE, ensure=False)).get(fail=False)

        for refused in (
            read,
            read_dead,
            lambda channel: channel.declare_queue("mine"),
            lambda channel: channel.declare_queue("bouncekeeper.mine"),
            lambda channel: channel.queue_delete(shop),
            lambda channel: channel.exchange_delete(PARCELS_EXCHANGE),
            publish("", shop),
            publish(CONTACTS_EXCHANGE, "contact.status.marketable"),
        ):
            assert await is_refused(receiver, refused)
        for refused in (
            lambda channel: channel.declare_queue("mine"),
            lambda channel: channel.declare_queue("crmXchanges"),
            publish("", shop),
            publish(PARCELS_EXCHANGE, SHOP.name),
        ):
            assert await is_refused(processing, refused)

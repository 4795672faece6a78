"""The queue port on RabbitMQ: a durable quorum queue, publisher confirms, a delivery limit."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

import aiormq
from aiormq import Channel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import PublishError

from schemas.envelope import PARCEL_CONTENT_TYPE
from schemas.queue_topology import (
    DEAD_QUEUE,
    PARCEL_ROUTING_KEY,
    PARCELS_QUEUE,
    WEBHOOKS_EXCHANGE,
)
from worker.errors import QueueUnavailable
from worker.queue.port import Lease
from worker.queue.rabbitmq_connection import BrokerConnection, lost_means_unavailable
from worker.queue.rabbitmq_topology import declare_webhooks
from worker.queue.under_way import UnderWay

_PERSISTENT = 2
DEFAULT_PREFETCH = 64
DEFAULT_CONFIRM_TIMEOUT_SECONDS = 10.0


class RabbitMQWriter:
    """A QueueWriter; any number of puts may be under way at once."""

    def __init__(self, url: str, *, confirm_timeout_seconds: float = DEFAULT_CONFIRM_TIMEOUT_SECONDS) -> None:
        self._confirm_timeout_seconds = confirm_timeout_seconds
        self._connection = BrokerConnection(url, role="writer", prepare=declare_webhooks)
        self._under_way = UnderWay()

    @classmethod
    async def open(cls, url: str, *, confirm_timeout_seconds: float = DEFAULT_CONFIRM_TIMEOUT_SECONDS) -> Self:
        """The writer, connected, or connecting by itself while the broker is away.

        Raises ImpossibleSetting when the broker refuses us or its queues are not as they must be.
        """
        writer = cls(url, confirm_timeout_seconds=confirm_timeout_seconds)
        await writer._connection.open()
        return writer

    async def put(self, parcel: bytes) -> None:
        """The parcel is on the disks of the quorum when this returns; raises QueueUnavailable otherwise."""
        connection = self._connection
        channel = connection.channel
        if connection.blocked():
            raise QueueUnavailable(
                f"RabbitMQ at {connection.address} blocks its publishers: it is short of memory or disk."
            )
        try:
            with self._under_way, lost_means_unavailable(connection.address):
                await channel.basic_publish(
                    parcel,
                    exchange=WEBHOOKS_EXCHANGE,
                    routing_key=PARCEL_ROUTING_KEY,
                    properties=aiormq.spec.Basic.Properties(
                        delivery_mode=_PERSISTENT, content_type=PARCEL_CONTENT_TYPE
                    ),
                    mandatory=True,
                    timeout=self._confirm_timeout_seconds,
                    wait=False,  # the confirm says all; waiting for the socket would only serialise the puts
                )
        except QueueUnavailable as error:
            if isinstance(error.__cause__, PublishError):
                connection.give_up(f"the queue {PARCELS_QUEUE} is gone: it is declared again")
            raise

    def available(self) -> bool:
        """False while the broker is away or blocks its publishers."""
        return self._connection.up() and not self._connection.blocked()

    async def close(self) -> None:
        """Waits for the confirms under way and closes the connection."""
        await self._under_way.nothing()
        await self._connection.close()


class RabbitMQReader:
    """A QueueReader of the parcels queue, or of the queue of dead ones."""

    def __init__(self, url: str, *, queue: str, prefetch: int) -> None:
        self._queue = queue
        self._prefetch = prefetch
        self._connection = BrokerConnection(url, role=f"reader of {queue}", prepare=self._prepare, on_lost=self._forget)
        self._tags = itertools.count(1)
        self._waiting: deque[Lease] = deque()
        # Our tag of every message the broker has lent us -> its delivery tag, in the order of both.
        # Our tags are never used twice, so that those of an earlier connection are known to be void.
        self._lent: dict[int, int] = {}
        self._arrived = asyncio.Event()

    @classmethod
    async def open(cls, url: str, *, prefetch: int = DEFAULT_PREFETCH) -> Self:
        """A reader of the parcels, connected, or connecting by itself while the broker is away.

        The broker lends up to `prefetch` parcels ahead. Raises as RabbitMQWriter.open does.
        """
        return await cls._open(url, queue=PARCELS_QUEUE, prefetch=prefetch)

    @classmethod
    async def open_dead(cls, url: str, *, prefetch: int = DEFAULT_PREFETCH) -> Self:
        """A reader of the parcels that the broker gave up; each lease says why in `death_reason`."""
        return await cls._open(url, queue=DEAD_QUEUE, prefetch=prefetch)

    @classmethod
    async def _open(cls, url: str, *, queue: str, prefetch: int) -> Self:
        reader = cls(url, queue=queue, prefetch=prefetch)
        await reader._connection.open()
        return reader

    async def take(self, *, max_parcels: int, max_wait_seconds: float) -> list[Lease]:
        """Up to max_parcels, as soon as there is one, or [] after max_wait_seconds."""
        if not self._waiting:
            try:
                async with asyncio.timeout(max_wait_seconds):
                    while not self._waiting:
                        self._arrived.clear()
                        await self._arrived.wait()
            except TimeoutError:
                _ = self._connection.channel  # away all the while: QueueUnavailable
                return []
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(max_parcels, len(waiting)))]

    async def acknowledge(self, leases: Sequence[Lease]) -> None:
        """Takes the parcels off the queue; a lost acknowledgement means that they are lent once more."""
        await self._settle(leases, _acknowledge)

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Puts the parcels back to be lent again; each counts towards the delivery limit."""
        await self._settle(leases, _give_back)

    async def depth(self) -> int | None:
        """How many parcels wait in the broker and here; None while it is away."""
        try:
            with lost_means_unavailable(self._connection.address):
                declared = await self._connection.channel.queue_declare(
                    self._queue, passive=True, durable=True, timeout=DEFAULT_CONFIRM_TIMEOUT_SECONDS
                )
        except QueueUnavailable:
            return None
        return (declared.message_count or 0) + len(self._waiting)

    async def close(self) -> None:
        """Closes the connection; the broker puts back what is lent."""
        await self._connection.close()
        self._forget()

    async def _prepare(self, channel: Channel) -> None:
        self._forget()
        await declare_webhooks(channel)
        await channel.basic_qos(prefetch_count=self._prefetch)
        await channel.basic_consume(self._queue, self._receive)

    async def _receive(self, message: DeliveredMessage) -> None:
        delivery_tag = message.delivery_tag
        if delivery_tag is None or message.channel.is_closed:
            return
        headers = message.header.properties.headers or {}
        tag = next(self._tags)
        self._lent[tag] = delivery_tag
        self._waiting.append(
            Lease(
                tag=tag,
                parcel=message.body,
                delivery_count=_as_count(headers.get("x-delivery-count")),
                death_reason=_death_reason(headers) if self._queue == DEAD_QUEUE else "",
            )
        )
        self._arrived.set()

    def _forget(self) -> None:
        self._waiting.clear()
        self._lent.clear()

    async def _settle(self, leases: Sequence[Lease], settle: "_Settle") -> None:
        lent = self._lent
        mine = {lease.tag for lease in leases if lease.tag in lent}
        if not mine:
            return
        upto = 0
        for tag, delivery_tag in lent.items():
            if tag not in mine:
                break
            upto = delivery_tag
        # One frame for the unbroken run from the oldest on, one for each that stands behind a gap.
        behind = sorted(lent[tag] for tag in mine if lent[tag] > upto)
        for tag in mine:
            del lent[tag]
        try:
            channel = self._connection.channel
            with lost_means_unavailable(self._connection.address):
                if upto:
                    await settle(channel, upto, True)  # noqa: FBT003 - AMQP's own flag
                for delivery_tag in behind:
                    await settle(channel, delivery_tag, False)  # noqa: FBT003 - AMQP's own flag
        except QueueUnavailable:
            return  # the leases went void on the way; `take` tells of the loss


_Settle = Callable[[Channel, int, bool], Any]


async def _acknowledge(channel: Channel, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001
    await channel.basic_ack(delivery_tag, multiple=multiple, wait=False)


async def _give_back(channel: Channel, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001
    await channel.basic_nack(delivery_tag, multiple=multiple, requeue=True, wait=False)


def _as_count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _death_reason(headers: dict[str, Any]) -> str:
    """The reason of the latest death: `delivery_limit`, `rejected`, `expired` or `maxlen`."""
    deaths = headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        return str(deaths[0].get("reason", "unknown"))
    return str(headers.get("x-first-death-reason", "unknown"))

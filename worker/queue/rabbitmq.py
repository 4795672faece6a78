"""The queue port on RabbitMQ: a durable quorum queue for each lane, publisher confirms."""

import asyncio
import itertools
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Self

import aiormq
from aiormq import Channel
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import PublishError

from schemas.envelope import PARCEL_CONTENT_TYPE
from schemas.lane import SHARED_LANE, Lane
from schemas.queue_topology import (
    DEAD_QUEUE,
    FORMER_QUEUE,
    PARCELS_EXCHANGE,
    SHARED_LANES,
    lane_queue,
)
from worker.errors import QueueUnavailable
from worker.queue.fair_shares import FairShares, InWork
from worker.queue.lent_bytes import LentBytes
from worker.queue.port import Lease, Share
from worker.queue.rabbitmq_connection import BrokerConnection, lost_means_unavailable
from worker.queue.rabbitmq_consumers import LaneConsumers
from worker.queue.rabbitmq_topology import declare_lanes, declare_webhooks, find_or_declare_webhooks, queue_exists
from worker.queue.under_way import UnderWay

_PERSISTENT = 2
DEFAULT_PREFETCH = 64
DEFAULT_CONFIRM_TIMEOUT_SECONDS = 10.0


class RabbitMQWriter:
    """A QueueWriter. Any number of puts may be under way at once."""

    def __init__(self, url: str, *, confirm_timeout_seconds: float = DEFAULT_CONFIRM_TIMEOUT_SECONDS) -> None:
        self._confirm_timeout_seconds = confirm_timeout_seconds
        self._connection = BrokerConnection(url, role="writer", prepare=find_or_declare_webhooks)
        self._under_way = UnderWay()

    @classmethod
    async def open(cls, url: str, *, confirm_timeout_seconds: float = DEFAULT_CONFIRM_TIMEOUT_SECONDS) -> Self:
        """The writer, connected, or connecting by itself while the broker is away.

        Raises ImpossibleSetting if the broker refuses us, or if its queues have other properties than ours.
        """
        writer = cls(url, confirm_timeout_seconds=confirm_timeout_seconds)
        await writer._connection.open()
        return writer

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        """Returns when the parcel is on the disks of the quorum. Raises QueueUnavailable otherwise."""
        connection = self._connection
        channel = connection.channel
        if connection.blocked():
            raise QueueUnavailable(
                f"RabbitMQ at {connection.address} blocks publishers: it is short of memory or disk."
            )
        try:
            with self._under_way, lost_means_unavailable(connection.address):
                await channel.basic_publish(
                    parcel,
                    exchange=PARCELS_EXCHANGE,
                    routing_key=lane.name,
                    properties=aiormq.spec.Basic.Properties(
                        delivery_mode=_PERSISTENT, content_type=PARCEL_CONTENT_TYPE
                    ),
                    mandatory=True,
                    timeout=self._confirm_timeout_seconds,
                    wait=False,  # the confirm is enough; to wait for the socket would only serialise the puts
                )
        except QueueUnavailable as error:
            if isinstance(error.__cause__, PublishError):
                connection.give_up("a queue of the parcels is gone: it is declared again")
            raise

    def available(self) -> bool:
        """False while the broker is away or blocks its publishers."""
        return self._connection.up() and not self._connection.blocked()

    async def close(self) -> None:
        """Waits for the confirms under way and closes the connection."""
        await self._under_way.nothing()
        await self._connection.close()


class RabbitMQReader:
    """A QueueReader of the lanes, or of the queue of dead parcels."""

    def __init__(self, url: str, *, dead: bool, prefetch: int) -> None:
        self._dead = dead
        what = DEAD_QUEUE if dead else PARCELS_EXCHANGE
        self._connection = BrokerConnection(url, role=f"reader of {what}", prepare=self._prepare, on_lost=self._forget)
        # The queues to read, each with the lane of its parcels.
        self._queues = {DEAD_QUEUE: SHARED_LANE} if dead else {lane_queue(lane): lane for lane in SHARED_LANES}
        self._tags = itertools.count(1)
        self._waiting: dict[Lane, deque[Lease]] = {}  # what is lent and not handed out; no lane is empty
        # Our tag of every message the broker has lent us -> its delivery tag, in the order of both.
        # Our tags are never reused, so those of an earlier connection are recognised as void.
        self._lent: dict[int, int] = {}
        self._in_work = InWork()
        self._bytes = LentBytes()  # of _lent, but for what goes back because of its size
        self._consumers = LaneConsumers(
            self._connection,
            queues=self._queues,
            prefetch=prefetch,
            lent=self._bytes,
            receive=self._receive,
            give_back=self._give_tags_back,
        )
        self._shares = FairShares()
        self._changed = asyncio.Event()  # the result of _in_share may have changed

    @classmethod
    async def open(cls, url: str, *, prefetch: int = DEFAULT_PREFETCH) -> Self:
        """A reader of the shared lanes, connected, or connecting by itself while the broker is away.

        The broker lends up to `prefetch` parcels of each lane ahead, fewer if there are many lanes. Raises as
        RabbitMQWriter.open does.
        """
        return await cls._open(url, dead=False, prefetch=prefetch)

    @classmethod
    async def open_dead(cls, url: str, *, prefetch: int = DEFAULT_PREFETCH) -> Self:
        """A reader of the parcels that the broker gave up."""
        return await cls._open(url, dead=True, prefetch=prefetch)

    @classmethod
    async def _open(cls, url: str, *, dead: bool, prefetch: int) -> Self:
        reader = cls(url, dead=dead, prefetch=prefetch)
        await reader._connection.open()
        return reader

    async def follow(self, own: Collection[Lane], others: Collection[Lane] = ()) -> list[Lane]:
        """Makes a queue for each own lane and reads all; gives the others that have no queue.

        Raises QueueUnavailable, and ImpossibleSetting as RabbitMQWriter.open does.
        """
        channel = self._connection.channel
        new_own, new_others = (
            [lane for lane in lanes if lane_queue(lane) not in self._queues] for lanes in (own, others)
        )
        with lost_means_unavailable(self._connection.address):
            missing = [lane for lane in new_others if not await queue_exists(channel, lane_queue(lane))]
            await self._read_from(channel, set(new_others).difference(missing))
            await declare_lanes(channel, new_own)
            await self._read_from(channel, new_own)
        return missing

    async def take(
        self, *, max_parcels: int, max_wait_seconds: float, max_bytes: int | None = None, share: Share = Share.ANY
    ) -> list[Lease]:
        """Up to max_parcels, in turns from the lanes, as soon as there is one, or [] after max_wait_seconds."""
        try:
            async with asyncio.timeout(max_wait_seconds):
                while not self._in_share(share):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            _ = self._connection.channel  # raises QueueUnavailable if the broker was away all the time
            return []
        leases: list[Lease] = []
        size = 0
        while len(leases) < max_parcels and (max_bytes is None or size < max_bytes):
            lanes = self._in_share(share)
            if not lanes:
                break
            leases.append(self._hand_out(self._shares.next_of(lanes), share))
            size += len(leases[-1].parcel)
        return leases

    async def acknowledge(self, leases: Sequence[Lease]) -> None:
        """Removes the parcels from the queue. If the acknowledgement is lost, they are lent once more."""
        await self._settle(leases, _acknowledge)

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Puts the parcels back to be lent again, with one lending more on their count."""
        await self._settle(leases, _give_back)

    async def suspend(self) -> None:
        """Gives back all that is lent, and holds nothing until `resume`, whatever happens to the connection."""
        channel, consumer_tags = await self._consumers.suspend()
        self._void_leases()
        if channel is None:
            return
        try:
            with lost_means_unavailable(self._connection.address):
                for consumer_tag in consumer_tags:
                    await channel.basic_cancel(consumer_tag, timeout=DEFAULT_CONFIRM_TIMEOUT_SECONDS)
                await _give_back(channel, 0, True)  # noqa: FBT003 - AMQP's own flag; tag 0 is all that is lent
        except QueueUnavailable as error:
            self._connection.give_up(str(error))  # what is lent goes back with the connection

    async def resume(self) -> None:
        """Goes on after `suspend`."""
        self._consumers.suspended = False
        channel = self._consumers.channel
        if channel is None:
            return  # the next connection begins with it
        try:
            with lost_means_unavailable(self._connection.address):
                for queue in list(self._queues):
                    await self._consumers.consume(channel, queue)
        except QueueUnavailable as error:
            self._connection.give_up(str(error))

    async def depths(self) -> Mapping[Lane, int] | None:
        """How many parcels of each lane wait in the broker and here; None while the broker is away."""
        depths = Counter({lane: len(waiting) for lane, waiting in self._waiting.items()})
        try:
            channel = self._connection.channel
            with lost_means_unavailable(self._connection.address):
                for queue in sorted(self._queues):
                    declared = await channel.queue_declare(
                        queue, passive=True, durable=True, timeout=DEFAULT_CONFIRM_TIMEOUT_SECONDS
                    )
                    depths[self._queues[queue]] += declared.message_count or 0
        except QueueUnavailable:
            return None
        return depths

    async def depth(self) -> int | None:
        """How many parcels wait in all; None if that is unknown."""
        depths = await self.depths()
        return None if depths is None else sum(depths.values())

    async def close(self) -> None:
        """Closes the connection. The broker puts the lent parcels back."""
        await self._connection.close()
        self._forget()
        await self._consumers.ended()

    async def _prepare(self, channel: Channel) -> None:
        self._forget()
        self._consumers.begin(channel)  # parcels come, and are settled, before everything is prepared
        await declare_webhooks(channel)
        if not self._dead and await queue_exists(channel, FORMER_QUEUE):
            self._queues[FORMER_QUEUE] = SHARED_LANE
        for queue in list(self._queues):
            if await queue_exists(channel, queue):
                await self._consumers.consume(channel, queue)
            else:
                del self._queues[queue]  # somebody has removed it; a processor with this lane makes it again

    async def _read_from(self, channel: Channel, lanes: Collection[Lane]) -> None:
        self._queues.update({lane_queue(lane): lane for lane in lanes})
        for lane in lanes:
            await self._consumers.consume(channel, lane_queue(lane))

    async def _receive(self, queue: str, message: DeliveredMessage) -> None:
        delivery_tag = message.delivery_tag
        if delivery_tag is None or message.channel.is_closed or self._consumers.suspended:
            return
        headers = message.header.properties.headers or {}
        lane, size_bytes = self._queues[queue], len(message.body)
        tag = next(self._tags)
        self._lent[tag] = delivery_tag
        if not self._consumers.admits(queue, tag=tag, size_bytes=size_bytes):
            return
        self._waiting.setdefault(lane, deque()).append(
            Lease(
                tag=tag,
                parcel=message.body,
                lane=lane,
                delivery_count=_times_lent(headers, redelivered=bool(message.redelivered)),
            )
        )
        self._changed.set()

    def _in_share(self, share: Share) -> list[Lane]:
        """The lanes that may be taken from."""
        if share is Share.ANY:
            return list(self._waiting)
        busy = self._in_work.busy
        return [lane for lane in self._waiting if share.includes(lane, busy=busy)]

    def _hand_out(self, lane: Lane, share: Share) -> Lease:
        waiting = self._waiting[lane]
        lease = waiting.popleft()
        if not waiting:
            del self._waiting[lane]
        self._shares.serve(lane, len(lease.parcel), in_turn=share is not Share.FIRST)
        self._in_work.add(lease, share)
        self._changed.set()
        return lease

    def _forget(self) -> None:
        self._void_leases()
        self._consumers.forget()

    def _void_leases(self) -> None:
        self._waiting.clear()
        self._lent.clear()
        self._in_work.clear()
        self._bytes.clear()
        self._consumers.void()

    async def _give_tags_back(self, channel: Channel, tags: list[int]) -> None:
        for delivery_tag in [self._lent.pop(tag) for tag in tags]:
            await _give_back(channel, delivery_tag, False)  # noqa: FBT003 - AMQP's own flag

    async def _settle(self, leases: Sequence[Lease], settle: "_Settle") -> None:
        self._in_work.discard(leases)
        self._bytes.discard(lease.tag for lease in leases)
        self._changed.set()
        self._consumers.freed()
        lent, channel = self._lent, self._consumers.channel
        mine = {lease.tag for lease in leases if lease.tag in lent}
        if not mine or channel is None:
            return
        upto = 0
        for tag, delivery_tag in lent.items():
            if tag not in mine:
                break
            upto = delivery_tag
        # One frame for the unbroken run from the oldest, one for each lease after a gap.
        behind = sorted(lent[tag] for tag in mine if lent[tag] > upto)
        for tag in mine:
            del lent[tag]
        try:
            with lost_means_unavailable(self._connection.address):
                if upto:
                    await settle(channel, upto, True)  # noqa: FBT003 - AMQP's own flag
                for delivery_tag in behind:
                    await settle(channel, delivery_tag, False)  # noqa: FBT003 - AMQP's own flag
        except QueueUnavailable:
            return  # the connection is lost and the leases are void; `take` raises


_Settle = Callable[[Channel, int, bool], Any]


async def _acknowledge(channel: Channel, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001
    await channel.basic_ack(delivery_tag, multiple=multiple, wait=False)


async def _give_back(channel: Channel, delivery_tag: int, multiple: bool) -> None:  # noqa: FBT001
    await channel.basic_nack(delivery_tag, multiple=multiple, requeue=True, wait=False)


def _times_lent(headers: dict[str, Any], *, redelivered: bool) -> int:
    """How often the parcel was lent before. RabbitMQ 4.3 and later say this in another header."""
    counts = [headers.get(name) for name in ("x-acquired-count", "x-delivery-count")]
    return max(int(redelivered), *(count for count in counts if isinstance(count, int)), 0)

"""The consumers of one reader: one for each queue, as wide as its parcels are small."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from schemas.lane import Lane
from worker.errors import QueueUnavailable
from worker.queue.lent_bytes import SMALL_BYTES, LentBytes, NarrowQueues
from worker.queue.rabbitmq_connection import BrokerConnection, lost_means_unavailable

# A processor keeps what it was lent in memory: of many lanes it is lent less of each. Fewer than four cost throughput.
_MOST_LENT = 256
_LEAST_PREFETCH = 4
_CANCEL_SECONDS = 10.0
_TURN_SECONDS = 0.2  # so long a narrow queue is waited for: it may be empty

Receive = Callable[[str, DeliveredMessage], Coroutine[Any, Any, None]]  # queue, message
GiveBack = Callable[[Channel, list[int]], Awaitable[None]]  # our tags


class LaneConsumers:
    """Nothing is read before `begin`, nor while they are suspended."""

    def __init__(
        self,
        connection: BrokerConnection,
        *,
        queues: Mapping[str, Lane],
        prefetch: int,
        lent: LentBytes,
        receive: Receive,
        give_back: GiveBack,
    ) -> None:
        """`queues` are all that are to be read, also those that come later; `prefetch` is the most of each."""
        self._connection = connection
        self._queues = queues
        self._prefetch = prefetch
        self._lent = lent
        self._receive = receive
        self._give_back = give_back
        self.channel: Channel | None = None  # that of the leases, too
        self.suspended = False
        self._consumer_tags: dict[str, str] = {}  # by queue
        self._changing = asyncio.Lock()
        self._narrow = NarrowQueues()
        # Queues whose consumers are about to be cancelled, with our tags of what came of them and had no room.
        self._leaving: dict[str, list[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._gives_turns = False
        self._freed = asyncio.Event()  # something was settled
        self._arrived = asyncio.Event()  # something came of a narrow queue

    def begin(self, channel: Channel) -> None:
        """The consumers of this channel follow."""
        self.channel = channel

    def forget(self) -> None:
        """The channel is gone, and its consumers with it."""
        self.channel = None
        self._consumer_tags = {}
        self.void()

    def void(self) -> None:
        """Nothing is lent any more."""
        self._narrow.clear()
        self._leaving.clear()
        self._freed.set()

    def freed(self) -> None:
        """Something was settled."""
        self._freed.set()

    async def ended(self) -> None:
        """Nothing is under way when this returns; the channel is forgotten."""
        await asyncio.gather(*self._tasks)

    async def consume(self, channel: Channel, queue: str) -> None:
        """The queue is read from now on, unless it is so already."""
        async with self._changing:
            if self.suspended or queue in self._consumer_tags or channel is not self.channel:
                return
            usual = min(self._prefetch, max(_LEAST_PREFETCH, _MOST_LENT // len(self._queues)))
            # Of the consumers that come after.
            await channel.basic_qos(prefetch_count=self._narrow.prefetch(queue, usual))
            consumed = await channel.basic_consume(queue, partial(self._receive, queue))
            if channel is self.channel:
                self._consumer_tags[queue] = consumed.consumer_tag or ""

    async def suspend(self) -> tuple[Channel | None, list[str]]:
        """What is about to be read is read, and then nothing is; gives what to cancel."""
        self.suspended = True
        async with self._changing:
            tags, self._consumer_tags = list(self._consumer_tags.values()), {}
            return self.channel, tags

    # ── what is too much ────────────────────────────────────────────────────────────────────────────────

    def admits(self, queue: str, *, tag: int, size_bytes: int) -> bool:
        """False when there is no room for what came: it is given back, and its queue waits for its turn."""
        if size_bytes > self._lent.largest_bytes:
            self._narrow.narrow(queue, size_bytes)
            self._leave(queue).append(tag)
            return False
        self._lent.add(tag, size_bytes)
        if queue in self._narrow:
            self._arrived.set()
        if self._narrow.waiting and size_bytes > SMALL_BYTES:
            self._narrow.narrow(queue, size_bytes)
            self._leave(queue)  # others are next
        elif self._narrow.widens(queue, size_bytes):
            self._leave(queue)
        return True

    def _leave(self, queue: str) -> list[int]:
        """The queue is not read any more from soon on, but waits; gives the list of what goes back then."""
        if queue not in self._leaving:
            self._leaving[queue] = []
            self._begin(self._end_turn(queue))
        return self._leaving[queue]

    async def _end_turn(self, queue: str) -> None:
        async with self._changing:
            channel, consumer_tag = self.channel, self._consumer_tags.get(queue)
            if channel is None or consumer_tag is None or queue not in self._leaving:
                return  # all of it went back meanwhile
            try:
                with lost_means_unavailable(self._connection.address):
                    # Not given back before the broker has cancelled: it would lend the same once more.
                    await channel.basic_cancel(consumer_tag, timeout=_CANCEL_SECONDS)
                    if channel is not self.channel:
                        return
                    del self._consumer_tags[queue]
                    await self._give_back(channel, self._leaving.pop(queue))
            except QueueUnavailable as error:
                self._connection.give_up(str(error))
                return
        self._narrow.waiting.append(queue)
        if not self._gives_turns:
            self._gives_turns = True
            self._begin(self._give_turns())

    async def _give_turns(self) -> None:
        """Reads the queues that wait, one after the other, whenever there is room for what may come of them."""
        try:
            while self._narrow.waiting and self.channel is not None:
                if self._lent.has_room:
                    await self._give_turn(self.channel, self._narrow.waiting.popleft())
                else:
                    self._freed.clear()
                    await self._freed.wait()
        finally:
            self._gives_turns = False

    async def _give_turn(self, channel: Channel, queue: str) -> None:
        self._arrived.clear()
        try:
            with lost_means_unavailable(self._connection.address):
                await self.consume(channel, queue)
        except QueueUnavailable as error:
            self._connection.give_up(str(error))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TURN_SECONDS):
                await self._arrived.wait()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

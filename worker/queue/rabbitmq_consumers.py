"""The consumers of one reader, one for each queue: the smaller its parcels, the more are lent ahead."""

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

# A processor keeps lent parcels in memory: the more lanes, the fewer of each. Fewer than four cost throughput.
_MOST_LENT = 256
_LEAST_PREFETCH = 4
_CANCEL_SECONDS = 10.0
_TURN_SECONDS = 0.2  # so long a narrow queue is waited for: it may be empty

Receive = Callable[[str, DeliveredMessage], Coroutine[Any, Any, None]]  # queue, message
GiveBack = Callable[[Channel, list[int]], Awaitable[None]]  # our tags


class LaneConsumers:
    """The consumers of a channel. They read nothing before `begin` and while they are suspended."""

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
        """`queues` are the queues to read; others may be added to it later. `prefetch` limits what each lends."""
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
        # Queues whose consumers are being cancelled, with our tags of their messages for which there was no room.
        self._leaving: dict[str, list[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._gives_turns = False
        self._freed = asyncio.Event()  # something was settled
        self._arrived = asyncio.Event()  # something came of a narrow queue

    def begin(self, channel: Channel) -> None:
        """From now on, `consume` may be called for this channel."""
        self.channel = channel

    def forget(self) -> None:
        """The channel and its consumers are gone."""
        self.channel = None
        self._consumer_tags = {}
        self.void()

    def void(self) -> None:
        """All leases are void."""
        self._narrow.clear()
        self._leaving.clear()
        self._freed.set()

    def freed(self) -> None:
        """A parcel was settled."""
        self._freed.set()

    async def ended(self) -> None:
        """Forgets the channel, and returns once nothing is under way."""
        await asyncio.gather(*self._tasks)

    async def consume(self, channel: Channel, queue: str) -> None:
        """Reads the queue from now on, if it is not read yet."""
        async with self._changing:
            if self.suspended or queue in self._consumer_tags or channel is not self.channel:
                return
            usual = min(self._prefetch, max(_LEAST_PREFETCH, _MOST_LENT // len(self._queues)))
            # This prefetch holds for consumers that begin later.
            await channel.basic_qos(prefetch_count=self._narrow.prefetch(queue, usual))
            consumed = await channel.basic_consume(queue, partial(self._receive, queue))
            if channel is self.channel:
                self._consumer_tags[queue] = consumed.consumer_tag or ""

    async def suspend(self) -> tuple[Channel | None, list[str]]:
        """Lets consumers that are starting start, then starts none; gives the tags of those to cancel."""
        self.suspended = True
        async with self._changing:
            tags, self._consumer_tags = list(self._consumer_tags.values()), {}
            return self.channel, tags

    # ── what is too much ────────────────────────────────────────────────────────────────────────────────

    def admits(self, queue: str, *, tag: int, size_bytes: int) -> bool:
        """False if there is no room for this message: it is given back, and its queue waits for its turn."""
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
        """Starts to cancel the queue's consumer; gives the list of tags that go back once it is cancelled."""
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
                    # Given back only after the broker has cancelled: otherwise it would lend the same again.
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
        """Reads the waiting queues one after the other, whenever there is room for their parcels."""
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

"""Group commit: webhooks that arrive together share one parcel and one confirm of the queue.

There is no timer. If nothing is under way, webhooks are sent at the end of the same turn of the event loop. While
parcels are under way, new webhooks gather until a confirm arrives or until they are worth a message of their own.
So a single webhook does not wait, and under load the parcels grow by themselves.

A parcel holds webhooks of one lane, and no lane waits for another.
"""

import asyncio
from collections import deque

from schemas.envelope import encode_parcel
from schemas.lane import SHARED_LANE, Lane
from worker.errors import QueueUnavailable, SchemaOutOfDate
from worker.process import metrics
from worker.process.logs import get_logger
from worker.queue.port import QueueWriter

log = get_logger()

MAX_WAITING_BYTES = 64 * 1024 * 1024
# A message costs receiver and broker about as much as this many webhooks cost the receiver. A group of this size is
# sent while others are under way, so that the receiver has work while it waits for their confirms.
WORTH_A_MESSAGE_ENVELOPES = 16
# A queue that has refused is asked again after this pause; after a time-out the second try follows at once.
PAUSE_BEFORE_SECOND_TRY_SECONDS = 0.1


class _Group:
    """Envelopes for one parcel, and the futures that wait for its confirm."""

    __slots__ = ("blobs", "lane", "opened_at", "size_bytes", "waiters")

    def __init__(self, lane: Lane, opened_at: float) -> None:
        self.lane = lane
        self.opened_at = opened_at
        self.blobs: list[bytes] = []
        self.waiters: list[asyncio.Future[None]] = []
        self.size_bytes = 0


class _LaneGroups:
    """The groups of one lane: gathering, full, and under way."""

    __slots__ = ("departure_planned", "full", "gathering", "under_way", "waiting_bytes")

    def __init__(self) -> None:
        self.gathering: _Group | None = None
        self.full: deque[_Group] = deque()
        self.under_way: set[asyncio.Task[None]] = set()
        self.departure_planned = False
        self.waiting_bytes = 0

    @property
    def busy(self) -> bool:
        """True while an envelope is not confirmed."""
        return bool(self.under_way or self.full or self.gathering)


class GroupCommit:
    """Puts encoded envelopes into the queue, many at a time.

    `max_envelopes` and `max_bytes` limit a parcel (a single larger envelope is sent alone), `in_flight` the parcels of
    a lane that are under way at once, `answer_timeout_seconds` the wait for a confirm, and `max_waiting_bytes` the
    memory of all that waits. No lane takes more memory than it leaves for the others.
    """

    def __init__(
        self,
        writer: QueueWriter,
        *,
        max_envelopes: int,
        max_bytes: int,
        in_flight: int,
        answer_timeout_seconds: float,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._writer = writer
        self._max_envelopes = max_envelopes
        self._max_bytes = max_bytes
        self._in_flight = in_flight
        self._answer_timeout_seconds = answer_timeout_seconds
        self._max_waiting_bytes = max_waiting_bytes
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[Lane, _LaneGroups] = {}
        self._waiting_bytes = 0
        self._closed = False

    @property
    def waiting_bytes(self) -> int:
        """The bytes of envelopes that are not confirmed yet."""
        return self._waiting_bytes

    def put(self, blob: bytes, lane: Lane = SHARED_LANE) -> asyncio.Future[None]:
        """A future that is done once the queue has confirmed the envelope's parcel.

        It fails with QueueUnavailable. Cancelling it has no effect on the parcel: the envelope is sent all the same.
        """
        size = len(blob)
        groups = self._lanes.get(lane)
        if groups is None:
            groups = self._lanes[lane] = _LaneGroups()
        if self._closed or groups.waiting_bytes + size > self._max_waiting_bytes - self._waiting_bytes:
            return self._refusal(groups)
        group = groups.gathering
        if group is not None and (len(group.blobs) >= self._max_envelopes or group.size_bytes + size > self._max_bytes):
            groups.full.append(group)
            group = None
        if group is None:
            group = groups.gathering = _Group(lane, self._loop.time())
        group.blobs.append(blob)
        group.size_bytes += size
        groups.waiting_bytes += size
        self._waiting_bytes += size
        confirmed = self._loop.create_future()
        group.waiters.append(confirmed)
        if not groups.departure_planned:
            # At the end of this turn of the loop, so that its other webhooks come along.
            groups.departure_planned = True
            self._loop.call_soon(self._depart, groups)
        return confirmed

    async def close(self) -> None:
        """Accepts nothing more. Returns once every envelope is confirmed or has failed."""
        self._closed = True
        while busy := [groups for groups in self._lanes.values() if groups.busy]:
            for groups in busy:
                self._depart(groups)
            await asyncio.wait({task for groups in busy for task in groups.under_way})

    def _refusal(self, groups: _LaneGroups) -> asyncio.Future[None]:
        refusal: asyncio.Future[None] = self._loop.create_future()
        refusal.set_exception(
            QueueUnavailable(
                "the receiver is stopping: the vendor must send the webhook again"
                if self._closed
                else f"{groups.waiting_bytes} bytes of this source's webhooks, of {self._waiting_bytes} in all, wait "
                "for the queue's confirm, and no more fit into memory: check the queue, or add receivers"
            )
        )
        return refusal

    def _depart(self, groups: _LaneGroups) -> None:
        groups.departure_planned = False
        under_way = groups.under_way
        while groups.full and len(under_way) < self._in_flight:
            self._send(groups, groups.full.popleft())
        gathering = groups.gathering
        if gathering is None or groups.full:
            return
        if not under_way or (len(gathering.blobs) >= WORTH_A_MESSAGE_ENVELOPES and len(under_way) < self._in_flight):
            groups.gathering = None
            self._send(groups, gathering)

    def _send(self, groups: _LaneGroups, group: _Group) -> None:
        task = self._loop.create_task(self._publish(groups, group))
        groups.under_way.add(task)

        def depart_next(_: asyncio.Task[None]) -> None:
            groups.under_way.discard(task)
            self._depart(groups)

        task.add_done_callback(depart_next)

    async def _publish(self, groups: _LaneGroups, group: _Group) -> None:
        failure = "publishing ended without an answer from the queue: the vendor must send the webhook again"
        try:
            await self._put_until_confirmed(group)
        except (QueueUnavailable, SchemaOutOfDate) as error:
            failure = str(error)
        except Exception as error:  # a bug of ours: the operator reads of it, and the vendors send again
            failure = f"the queue's writer failed ({type(error).__name__}): {error}"
            log.exception("parcel.failed", envelopes=len(group.blobs))
        else:
            metrics.PARCELS.inc()
            metrics.PARCEL_BYTES.inc(group.size_bytes)
            metrics.PARCEL_ENVELOPES.observe(len(group.blobs))
            for confirmed in group.waiters:
                if not confirmed.done():
                    confirmed.set_result(None)
        finally:
            groups.waiting_bytes -= group.size_bytes
            self._waiting_bytes -= group.size_bytes
            # No waiter may wait for ever, even after an error above. Each gets an exception of its own: a shared one
            # would collect the tracebacks of all.
            for confirmed in group.waiters:
                if not confirmed.done():
                    confirmed.set_exception(QueueUnavailable(failure))

    async def _put_until_confirmed(self, group: _Group) -> None:
        """Puts the parcel, and once more if no confirm comes: a duplicate is harmless, a loss is not."""
        parcel = encode_parcel(group.blobs)
        last_moment = group.opened_at + self._answer_timeout_seconds
        first_try_ends = self._loop.time() + max(0.0, last_moment - self._loop.time()) / 2
        try:
            await self._put(parcel, group.lane, first_try_ends)
        except QueueUnavailable as error:
            log.warning("parcel.published_again", envelopes=len(group.blobs), detail=str(error))
            metrics.PARCELS_PUBLISHED_AGAIN.inc()
        else:
            return
        if self._loop.time() < first_try_ends:
            await asyncio.sleep(PAUSE_BEFORE_SECOND_TRY_SECONDS)
        await self._put(parcel, group.lane, last_moment)

    async def _put(self, parcel: bytes, lane: Lane, last_moment: float) -> None:
        try:
            async with asyncio.timeout_at(last_moment):
                await self._writer.put(parcel, lane)
        except TimeoutError as error:
            raise QueueUnavailable(
                "the queue did not confirm in time: check the broker's disk and its alarms"
            ) from error

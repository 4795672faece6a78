"""Group commit: webhooks that arrive together share one parcel and one confirm of the queue.

No timer is involved. Whoever comes when nothing is under way leaves at the end of the same turn of the event
loop; while parcels are under way, newcomers gather until a confirm arrives or they are enough to be worth a
message of their own. So a lone webhook waits for nobody, and under load the parcels grow by themselves.
"""

import asyncio
from collections import deque

from schemas.envelope import encode_parcel
from worker import metrics
from worker.errors import QueueUnavailable, SchemaOutOfDate
from worker.logs import get_logger
from worker.queue.port import QueueWriter

log = get_logger()

MAX_WAITING_BYTES = 64 * 1024 * 1024
# A message costs receiver and broker about as much as so many webhooks cost the receiver. A group of this size
# leaves beside others under way, so that the receiver has work while it waits for their confirms.
WORTH_A_MESSAGE_ENVELOPES = 16
# A queue that has just said no is asked again after this pause; one that never answered has waited enough.
PAUSE_BEFORE_SECOND_TRY_SECONDS = 0.1


class _Group:
    """Envelopes that will travel in one parcel, and who waits for them."""

    __slots__ = ("blobs", "opened_at", "size_bytes", "waiters")

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        self.blobs: list[bytes] = []
        self.waiters: list[asyncio.Future[None]] = []
        self.size_bytes = 0


class GroupCommit:
    """Puts encoded envelopes into the queue, many at a time.

    `max_envelopes` and `max_bytes` bound a parcel (a single larger envelope travels alone), `in_flight` how
    many parcels are under way at once, `answer_timeout_seconds` how long anybody waits for the confirm, and
    `max_waiting_bytes` the memory that all of it may take.
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
        self._gathering: _Group | None = None
        self._full: deque[_Group] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._departure_planned = False
        self._waiting_bytes = 0
        self._closed = False

    @property
    def waiting_bytes(self) -> int:
        """Bytes of envelopes that were put and are not confirmed yet."""
        return self._waiting_bytes

    def put(self, blob: bytes) -> asyncio.Future[None]:
        """Done when the queue has confirmed the parcel that the envelope travels in.

        The future fails with QueueUnavailable. Cancelling it takes nothing back and hurts no neighbour: the
        envelope travels all the same.
        """
        size = len(blob)
        if self._closed or self._waiting_bytes + size > self._max_waiting_bytes:
            return self._turned_away()
        group = self._gathering
        if group is not None and (len(group.blobs) >= self._max_envelopes or group.size_bytes + size > self._max_bytes):
            self._full.append(group)
            group = None
        if group is None:
            group = self._gathering = _Group(self._loop.time())
        group.blobs.append(blob)
        group.size_bytes += size
        self._waiting_bytes += size
        confirmed = self._loop.create_future()
        group.waiters.append(confirmed)
        if not self._departure_planned:
            # Everything else that this turn of the loop brings shall come along.
            self._departure_planned = True
            self._loop.call_soon(self._depart)
        return confirmed

    async def close(self) -> None:
        """Takes nothing more and returns when all that was put is confirmed or has failed."""
        self._closed = True
        while self._under_way or self._full or self._gathering:
            self._depart()
            await asyncio.wait(self._under_way)

    def _turned_away(self) -> asyncio.Future[None]:
        refusal: asyncio.Future[None] = self._loop.create_future()
        refusal.set_exception(
            QueueUnavailable(
                "the receiver is stopping: the webhook has to be sent again"
                if self._closed
                else f"{self._waiting_bytes} bytes of webhooks wait for the queue's confirm, and no more fit into "
                "memory: look at the queue, or add receivers"
            )
        )
        return refusal

    def _depart(self) -> None:
        self._departure_planned = False
        while self._full and len(self._under_way) < self._in_flight:
            self._send(self._full.popleft())
        gathering = self._gathering
        if gathering is None or self._full:
            return
        if not self._under_way or (
            len(gathering.blobs) >= WORTH_A_MESSAGE_ENVELOPES and len(self._under_way) < self._in_flight
        ):
            self._gathering = None
            self._send(gathering)

    def _send(self, group: _Group) -> None:
        task = self._loop.create_task(self._publish(group))
        self._under_way.add(task)
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._depart()

    async def _publish(self, group: _Group) -> None:
        failure = "publishing ended without an answer from the queue: the webhook has to be sent again"
        try:
            await self._put_until_confirmed(group)
        except (QueueUnavailable, SchemaOutOfDate) as error:
            failure = str(error)
        except Exception as error:  # a mistake of ours: told to the operator, and the vendors send again
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
            self._waiting_bytes -= group.size_bytes
            # Whatever went wrong above, nobody is left waiting for ever. Each waiter gets an exception of its
            # own: a shared one would gather everybody's traceback.
            for confirmed in group.waiters:
                if not confirmed.done():
                    confirmed.set_exception(QueueUnavailable(failure))

    async def _put_until_confirmed(self, group: _Group) -> None:
        """Offers the parcel, and once more when no confirm came: duplicates are harmless, losses are not."""
        parcel = encode_parcel(group.blobs)
        last_moment = group.opened_at + self._answer_timeout_seconds
        first_try_ends = self._loop.time() + max(0.0, last_moment - self._loop.time()) / 2
        try:
            await self._put(parcel, first_try_ends)
        except QueueUnavailable as error:
            log.warning("parcel.published_again", envelopes=len(group.blobs), detail=str(error))
            metrics.PARCELS_PUBLISHED_AGAIN.inc()
        else:
            return
        if self._loop.time() < first_try_ends:
            await asyncio.sleep(PAUSE_BEFORE_SECOND_TRY_SECONDS)
        await self._put(parcel, last_moment)

    async def _put(self, parcel: bytes, last_moment: float) -> None:
        try:
            async with asyncio.timeout_at(last_moment):
                await self._writer.put(parcel)
        except TimeoutError as error:
            raise QueueUnavailable(
                "the queue did not confirm in time: look at the broker's disk and its alarms"
            ) from error

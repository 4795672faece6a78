"""Takes parcels from a queue, load by load, and acknowledges them once everything in them is committed.

There are two streams of loads. Large loads are filled from the lanes in turns. While one is under way, the first
parcels of the other lanes go ahead in small loads that wait for nothing; the rest of a lane is its backlog and waits
its turn. So events of a quiet source take effect at once, however long the large loads take.

Parcels that could not be stored go back to the queue, and none is taken until Postgres answers again. A parcel that
kills processors is found by trying it alone (worker.processor.trials).
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from schemas.envelope import decode_parcel, encode_parcel
from worker.errors import BouncekeeperError, QueueUnavailable, StopTheProcess, StoreUnavailable
from worker.process.backoff import Backoff
from worker.process.logs import get_logger
from worker.processor.batch import BatchWriter
from worker.processor.load import Load, LoadWriter
from worker.processor.trial_room import TrialRoom
from worker.processor.trials import MOST_ATTEMPTS, Trials
from worker.providers.bound_sources import BoundSources
from worker.queue.port import Lease, QueueReader, Share
from worker.settings.tree import ProcessorSettings

_log = get_logger()

_IDLE_WAIT_SECONDS = 0.5  # how long a stop may go unnoticed
_PARCELS_AT_ONCE = 64
# Parcels that are taken and not in a load yet are ahead of all later ones: about as many as a load holds.
_BYTES_AT_ONCE = 1024 * 1024
_LOADS_IN_FLIGHT = 2
_FIRST_BATCHES_IN_FLIGHT = 2
# How soon Postgres is asked again; longer each time, until a load is stored.
_FIRST_AWAY_SECONDS = 0.5
_LONGEST_AWAY_SECONDS = 10.0
_PARTING_SECONDS = 2.0
_REASON = "stops_workers"
_DETAIL = (
    f"each of the {MOST_ATTEMPTS} times that it was tried alone the processor died, or could not store it while it"
    " stored others: look for the reason in the processors' log, and replay it after the fix"
)


class _Stream:
    """The settings of one stream of loads, and its parcels in hand."""

    def __init__(self, share: Share, *, wait_seconds: float, batches_in_flight: int) -> None:
        self.share = share
        self.wait_seconds = wait_seconds  # how long a load may wait to become full
        self.waiting: deque[Lease] = deque()  # taken, not yet in a load
        self.suspects: deque[Lease] = deque()  # to be tried alone
        self.slots = asyncio.Semaphore(_LOADS_IN_FLIGHT)
        self.transactions = asyncio.Semaphore(batches_in_flight)


class _Doubt(Struct, frozen=True, kw_only=True):
    """A parcel that could not be stored when it was tried alone: the cause is either the parcel or Postgres."""

    lease: Lease
    error: StoreUnavailable
    stream: _Stream


class Consumer:
    """Drains one queue. While one load is being committed, the next is taken and parsed.

    If the process dies, parcels that are not committed yet are lent again; applying them twice changes nothing. While
    Postgres is away, the consumer gives all its parcels back and takes none.
    """

    def __init__(
        self,
        *,
        name: str,
        reader: QueueReader,
        writer: BatchWriter,
        trials: Trials,
        room: TrialRoom,
        sources: BoundSources,
        settings: ProcessorSettings,
        large_parcels: asyncio.Semaphore | None = None,
    ) -> None:
        """All consumers of a process share `room` and `large_parcels`, which limits the large parcels in work."""
        self._name = name
        self._reader = reader
        self._trials = trials
        self._room = room
        self._loads = LoadWriter(
            queue=name,
            writer=writer,
            sources=sources,
            most_events_of_a_batch=settings.batch_max_events,
            large_parcels=large_parcels or asyncio.Semaphore(1),
        )
        self._streams = (
            _Stream(Share.FIRST, wait_seconds=0.0, batches_in_flight=_FIRST_BATCHES_IN_FLIGHT),
            _Stream(
                Share.REST,
                wait_seconds=settings.batch_max_wait_seconds,
                batches_in_flight=settings.batches_in_flight,
            ),
        )
        self._stop = asyncio.Event()
        self._store_lost: StoreUnavailable | None = None
        self._backoff = Backoff(first_seconds=_FIRST_AWAY_SECONDS, longest_seconds=_LONGEST_AWAY_SECONDS)
        self._unstored: set[bytes] = set()  # the parcels of loads that could not be stored, since the store is lost
        self._doubt: _Doubt | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then finishes the loads under way and gives the other parcels back."""
        self._stop = stop
        try:
            while not stop.is_set():
                self._store_lost = None
                async with asyncio.TaskGroup() as under_way:
                    for stream in self._streams:
                        under_way.create_task(self._work(stream, under_way))
                await self._give_back_what_waits()
                if self._store_lost is not None:
                    await self._wait_for_store(self._store_lost)
        except asyncio.CancelledError:
            # Another part of the process failed: none of our parcels is the cause.
            await self._acquit_all()
            raise
        except ExceptionGroup as errors:
            if errors.split(StopTheProcess)[1] is None:  # a person must act: no parcel is the cause either
                await self._acquit_all()
            raise
        await self._write_trials()

    async def _acquit_all(self) -> None:
        self._trials.all_untried()
        with contextlib.suppress(BouncekeeperError, TimeoutError):
            async with asyncio.timeout(_PARTING_SECONDS):
                await self._trials.write()

    # ── while Postgres is there ─────────────────────────────────────────────────────────────────────────

    async def _work(self, stream: _Stream, under_way: asyncio.TaskGroup) -> None:
        while self._goes_on():
            while stream.suspects and self._goes_on():
                await self._try_alone(stream.suspects.popleft(), stream)
            await stream.slots.acquire()
            load = await self._next_load(stream)
            if load is not None:
                under_way.create_task(self._finish(load, stream))
                continue
            stream.slots.release()
            if self._doubt is not None and self._doubt.stream is stream and not stream.suspects:
                self._lose_store(self._doubt.error)  # nothing else came that would show which of them is to blame

    def _goes_on(self) -> bool:
        return self._store_lost is None and not self._stop.is_set()

    async def _next_load(self, stream: _Stream) -> Load | None:
        """The next load, full or as large as it is after wait_seconds; None if no parcel has come.

        While the load before it is being stored, it goes on growing: a backlog is worked off by full loads.
        """
        load = Load()
        deadline = 0.0
        while self._goes_on() and not self._loads.is_full(load):
            if not stream.waiting:
                wait = deadline - time.monotonic() if load.leases else _IDLE_WAIT_SECONDS
                if wait <= 0 and not (stream.wait_seconds and stream.slots.locked()):
                    break
                if not await self._take(stream, max(0.0, wait)):
                    break
            if not load.leases:
                await self._room.enter()
                deadline = time.monotonic() + stream.wait_seconds
            if not self._loads.add(stream.waiting[0], load):
                break
            stream.waiting.popleft()
            await asyncio.sleep(0)  # a parcel takes milliseconds: let the batches under way go on
        return load if load.leases else None

    async def _take(self, stream: _Stream, wait_seconds: float) -> bool:
        """True if parcels were lent that may share a load with others."""
        try:
            leases = await self._reader.take(
                max_parcels=_PARCELS_AT_ONCE,
                max_wait_seconds=wait_seconds,
                max_bytes=_BYTES_AT_ONCE,
                share=stream.share,
            )
        except QueueUnavailable:
            # The adapter logs the loss and reconnects by itself; earlier leases are void, and their parcels come again.
            self._trials.untried([*stream.waiting, *stream.suspects])
            stream.waiting.clear()
            stream.suspects.clear()
            await self._write_trials()
            await asyncio.sleep(wait_seconds)
            return False
        stream.waiting.extend(leases)
        try:
            suspects = await self._trials.suspects(leases)
        except StoreUnavailable as error:
            self._lose_store(error)
            return False
        if suspects:
            alone = {lease.tag for lease in suspects}
            stream.waiting = deque(lease for lease in stream.waiting if lease.tag not in alone)
            stream.suspects.extend(suspects)
        return bool(stream.waiting)

    async def _finish(self, load: Load, stream: _Stream) -> None:
        try:
            contacts = await self._loads.store(load, stream.transactions)
            await self._settle(load.leases)
            if contacts:
                await self._acquit_store()
        except StoreUnavailable as error:
            # Events of it that are committed already are recognised when it comes again.
            _log.warning("load.given_back", queue=self._name, parcels=len(load.leases), reason=str(error))
            if self._doubt is None:
                self._unstored.update(load.parcel_hashes())
            await self._give_back(load.leases)
            self._lose_store(error)
        finally:
            self._room.leave()
            stream.slots.release()

    async def _settle(self, leases: Sequence[Lease]) -> None:
        # A parcel that is not acknowledged is lent again, recognised and acknowledged then. A note that stays behind
        # only means that one parcel is tried alone without need.
        with contextlib.suppress(QueueUnavailable):
            await self._reader.acknowledge(leases)
        await self._trials.done(leases)

    async def _acquit_store(self) -> None:
        """Postgres has stored something, so it is not the cause if another parcel could not be stored."""
        self._backoff.succeeded()
        doubt, self._doubt = self._doubt, None
        if doubt is not None:
            self._trials.tried([doubt.lease])
            await self._reader.give_back([doubt.lease])

    # ── one parcel alone ────────────────────────────────────────────────────────────────────────────────

    async def _try_alone(self, lease: Lease, stream: _Stream) -> None:
        """Tries the parcel while nothing else is under way: if the process dies now, the parcel is the cause."""
        try:
            async with self._room.alone():
                contacts = await self._try(lease, stream)
                await self._settle([lease])
                if contacts:
                    await self._acquit_store()
        except StoreUnavailable as error:
            if self._doubt is None:
                self._doubt = _Doubt(lease=lease, error=error, stream=stream)
            else:
                await self._give_back([lease])
                self._lose_store(error)

    async def _try(self, lease: Lease, stream: _Stream) -> int:
        """The whole parcel is in effect or set aside when this returns; gives the number of its contacts."""
        together = await self._trials.may_try(lease)
        _log.warning(
            "parcel.tried",
            queue=self._name,
            source=lease.lane.source,
            parcel_bytes=len(lease.parcel),
            one_by_one=not together,
        )
        if together:
            return await self._store_alone(lease, stream)
        contacts = 0
        for blob in _deliveries(lease.parcel):
            delivery = msgspec.structs.replace(lease, parcel=encode_parcel([blob]))
            if await self._trials.may_try_delivery(lease, blob):
                contacts += await self._store_alone(delivery, stream)
            else:
                await self._loads.give_up(delivery.parcel, reason=_REASON, detail=_DETAIL)
            await self._trials.delivery_done(lease, blob)
        return contacts

    async def _store_alone(self, lease: Lease, stream: _Stream) -> int:
        load = Load()
        self._loads.add(lease, load)
        return await self._loads.store(load, stream.transactions)

    # ── while it is away ────────────────────────────────────────────────────────────────────────────────

    def _lose_store(self, error: StoreUnavailable) -> None:
        if self._store_lost is None:
            self._store_lost = error

    async def _give_back(self, leases: Sequence[Lease]) -> None:
        self._trials.untried(leases)
        await self._reader.give_back(leases)

    async def _give_back_what_waits(self) -> None:
        leases = [lease for stream in self._streams for lease in (*stream.suspects, *stream.waiting)]
        for stream in self._streams:
            stream.suspects.clear()
            stream.waiting.clear()
        if self._doubt is not None:
            leases.append(self._doubt.lease)
            self._doubt = None
        if leases:
            await self._give_back(leases)

    async def _write_trials(self) -> None:
        """Writes the results of the trials to Postgres; later, if Postgres is away."""
        with contextlib.suppress(StoreUnavailable):
            await self._trials.write()

    async def _wait_for_store(self, error: StoreUnavailable) -> None:
        """Keeps no parcel until Postgres answers: the broker takes back parcels that are not settled for too long."""
        started = time.monotonic()
        await self._reader.suspend()
        _log.warning("consumer.suspended", queue=self._name, reason=str(error))
        failures = 0
        while not self._stop.is_set():
            await self._backoff.wait(self._stop)
            try:
                await self._trials.write(ask=True)
            except StoreUnavailable:
                failures += 1
                continue
            break
        if not failures:
            self._trials.doubt(self._unstored)  # Postgres was there all the time
        self._unstored.clear()
        if not self._stop.is_set():
            await self._reader.resume()
            _log.info("consumer.resumed", queue=self._name, seconds=round(time.monotonic() - started, 3))


def _deliveries(parcel: bytes) -> list[bytes]:
    """The parcel's deliveries, to be tried one by one."""
    try:
        return decode_parcel(parcel)
    except msgspec.MsgspecError:
        return [parcel]  # not one of our parcels: it is set aside in any case

"""Takes parcels off a queue, load after load, and acknowledges them when everything in them is committed.

A load is divided by contact into batches, and each batch is one transaction. Batches of a load have no contact in
common, so that they never wait for each other's locks: while Postgres writes one, Python prepares the next.

Loads go two ways. The first parcels of each source go ahead, in small loads that wait for nothing; what a source has
beyond them is its backlog, and fills large loads in turns with the backlogs of others. So what a quiet source says is
in effect at once, however long the large loads take.

A large parcel is a load of its own, parsed and committed part by part, one such parcel at a time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import randrange
from zlib import crc32

import msgspec
from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from worker.errors import QueueUnavailable, StoreUnavailable
from worker.logs import get_logger
from worker.processor.batch import BatchWriter, Committed
from worker.processor.parcel_parts import LARGE_PARCEL_BYTES, parcel_parts
from worker.processor.parsing import ParsedParcels, SetAsideDelivery, parse_parcel
from worker.processor.reporting import report_load, report_unknown
from worker.providers.provider import Provider
from worker.queue.port import Lease, QueueReader, Share
from worker.settings_tree import ProcessorSettings

_log = get_logger()

_IDLE_WAIT_SECONDS = 0.5  # how long a stop may go unnoticed
_PARCELS_AT_ONCE = 64
# What is taken and not in a load yet is ahead of everything that comes later: about as much as a load holds.
_BYTES_AT_ONCE = 1024 * 1024
_LOADS_IN_FLIGHT = 2
_FIRST_BATCHES_IN_FLIGHT = 2
_BATCHES_OF_A_LOAD = 4
_MOST_LOAD_BYTES = 4 * 1024 * 1024  # what is set aside makes no events, but is held


class _Load(Struct, kw_only=True):
    """Parcels on their way through."""

    leases: list[Lease]
    parsed: ParsedParcels
    parse_seconds: float = 0.0
    size_bytes: int = 0
    large_parcel: bytes = b""  # the only one, in place of `parsed`


class _Way:
    """One of the two ways that loads go."""

    def __init__(self, share: Share, *, wait_seconds: float, batches_in_flight: int) -> None:
        self.share = share
        self.wait_seconds = wait_seconds  # how long a load may wait to become full
        self.waiting: deque[Lease] = deque()  # taken, not yet in a load
        self.slots = asyncio.Semaphore(_LOADS_IN_FLIGHT)
        self.transactions = asyncio.Semaphore(batches_in_flight)


class Consumer:
    """Drains one queue. While one load is being committed the next is taken and parsed.

    What is lent and not yet committed when the process dies is lent again; applying it twice changes nothing.
    """

    def __init__(
        self,
        *,
        name: str,
        reader: QueueReader,
        writer: BatchWriter,
        providers: Mapping[str, Provider],
        sources: Mapping[str, Source],
        settings: ProcessorSettings,
        large_parcels: asyncio.Semaphore | None = None,
    ) -> None:
        """`large_parcels` is shared by all consumers of a process: how many large parcels it has in work at a time."""
        self._name = name
        self._reader = reader
        self._writer = writer
        self._providers = providers
        self._sources = sources
        self._settings = settings
        self._large_parcels = large_parcels or asyncio.Semaphore(1)
        self._ways = (
            _Way(Share.FIRST, wait_seconds=0.0, batches_in_flight=_FIRST_BATCHES_IN_FLIGHT),
            _Way(
                Share.REST,
                wait_seconds=settings.batch_max_wait_seconds,
                batches_in_flight=settings.batches_in_flight,
            ),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then finishes what is under way and gives the rest back."""
        async with asyncio.TaskGroup() as under_way:
            for way in self._ways:
                under_way.create_task(self._work(way, under_way, stop))
        if waiting := [lease for way in self._ways for lease in way.waiting]:
            await self._reader.give_back(waiting)

    async def _work(self, way: _Way, under_way: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await way.slots.acquire()
            load = await self._next_load(way, stop)
            if load is None:
                way.slots.release()
                continue
            under_way.create_task(self._finish(load, way))

    async def _next_load(self, way: _Way, stop: asyncio.Event) -> _Load | None:
        """The next load: full, or complete after its way's wait_seconds; None when there is nothing for now."""
        load = _Load(leases=[], parsed=ParsedParcels())
        deadline = 0.0
        most_events = self._settings.batch_max_events * _BATCHES_OF_A_LOAD
        while not stop.is_set() and load.parsed.event_count < most_events and load.size_bytes < _MOST_LOAD_BYTES:
            if not way.waiting:
                wait = _IDLE_WAIT_SECONDS if not load.leases else deadline - time.monotonic()
                if wait <= 0 or not await self._take(way, wait):
                    break
            lease = way.waiting.popleft()
            if len(lease.parcel) > LARGE_PARCEL_BYTES:
                if load.leases:
                    way.waiting.appendleft(lease)
                    break
                # The bytes belong to the load alone, so that they go as soon as they are taken apart.
                load.large_parcel = lease.parcel
                load.leases.append(msgspec.structs.replace(lease, parcel=b""))
                break
            if not load.leases:
                deadline = time.monotonic() + way.wait_seconds
            started = time.perf_counter()
            parse_parcel(
                lease.parcel,
                load.parsed,
                providers=self._providers,
                sources=self._sources,
                now=datetime.now(UTC),
            )
            load.parse_seconds += time.perf_counter() - started
            load.leases.append(lease)
            load.size_bytes += len(lease.parcel)
            await asyncio.sleep(0)  # a parcel takes milliseconds: let the batches under way go on
        return load if load.leases else None

    async def _take(self, way: _Way, wait_seconds: float) -> bool:
        """True when parcels were lent."""
        try:
            leases = await self._reader.take(
                max_parcels=_PARCELS_AT_ONCE,
                max_wait_seconds=wait_seconds,
                max_bytes=_BYTES_AT_ONCE,
                share=way.share,
            )
        except QueueUnavailable:
            # The adapter logs the loss and reconnects by itself; leases given before are void and come again.
            way.waiting.clear()
            await asyncio.sleep(wait_seconds)
            return False
        way.waiting.extend(leases)
        return bool(leases)

    async def _finish(self, load: _Load, way: _Way) -> None:
        try:
            if load.large_parcel:
                async with self._large_parcels:
                    await self._finish_parts(load, way)
            else:
                await self._store(load, way, acknowledge=load.leases)
        except StoreUnavailable as error:
            # Said only while we stop: what is committed of it already will be known to whoever is lent it next.
            _log.warning("load.given_back", queue=self._name, parcels=len(load.leases), reason=str(error))
            await self._reader.give_back(load.leases)
        finally:
            way.slots.release()

    async def _finish_parts(self, load: _Load, way: _Way) -> None:
        """Each part is in effect before the next one is parsed; the parcel is acknowledged after the last."""
        parts = parcel_parts(load.large_parcel, providers=self._providers, sources=self._sources, now=datetime.now(UTC))
        load.large_parcel = b""
        while True:
            started = time.perf_counter()
            # A part takes tenths of a second: the event loop goes on meanwhile.
            parsed = await asyncio.to_thread(next, parts, None)
            if parsed is None:
                break
            part = _Load(leases=load.leases, parsed=parsed, parse_seconds=time.perf_counter() - started)
            await self._store(part, way)
        await self._acknowledge(load.leases)

    async def _store(self, load: _Load, way: _Way, *, acknowledge: list[Lease] | None = None) -> None:
        """Everything in the load is in effect or set aside, and off the queue where it is to be, when this returns."""
        started = time.perf_counter()
        parsed = load.parsed
        await self._writer.refuse_replays(parsed)
        batches = divide_by_contact(parsed, self._settings.batch_max_events)
        committed = await asyncio.gather(*(self._commit(batch, way) for batch in batches))
        set_aside = [*parsed.set_aside, *_deliveries_of_refused(parsed, committed)]
        await self._writer.set_aside(set_aside)
        if acknowledge is not None:
            await self._acknowledge(acknowledge)
        self._report(load, committed, set_aside, store_seconds=time.perf_counter() - started)

    async def _commit(self, batch: Sequence[FeedbackEvent], way: _Way) -> Committed:
        async with way.transactions:
            return await self._writer.commit(batch)

    async def _acknowledge(self, leases: list[Lease]) -> None:
        try:
            await self._reader.acknowledge(leases)
        except QueueUnavailable:
            return  # they will be lent again, found to be known, and acknowledged then

    def _report(
        self,
        load: _Load,
        committed: Sequence[Committed],
        set_aside: Sequence[SetAsideDelivery],
        *,
        store_seconds: float,
    ) -> None:
        report_unknown(load.parsed)
        report_load(
            load.parsed,
            committed,
            set_aside,
            queue=self._name,
            parcels=len(load.leases),
            parse_seconds=load.parse_seconds,
            store_seconds=store_seconds,
        )


def divide_by_contact(parsed: ParsedParcels, most_events: int) -> list[list[FeedbackEvent]]:
    """The events in batches of about `most_events`, all of a contact's in the same one; none of them empty.

    Which batch a contact is in follows from its address alone and is the same in every process: two workers
    that are each at another part of their loads do not meet. Each begins at a part of its own choosing.
    """
    if parsed.event_count <= most_events:
        return [events] if (events := [event for delivery in parsed.deliveries for event in delivery.events]) else []
    batches: list[list[FeedbackEvent]] = [[] for _ in range(_BATCHES_OF_A_LOAD)]
    for delivery in parsed.deliveries:
        for event in delivery.events:
            batches[crc32((event.address or "").encode("utf-8", "replace")) % _BATCHES_OF_A_LOAD].append(event)
    first = randrange(_BATCHES_OF_A_LOAD)  # noqa: S311 - no secret
    return [batch for batch in (*batches[first:], *batches[:first]) if batch]


def _deliveries_of_refused(parsed: ParsedParcels, committed: Sequence[Committed]) -> list[SetAsideDelivery]:
    """The deliveries in which an event was refused, whole; the others of their events are applied all the same."""
    details = {refused.event.delivery_id: refused.detail for one in committed for refused in one.refused}
    return [
        delivery.set_aside(reason="store_refused", detail=details[delivery.envelope.delivery_id])
        for delivery in parsed.deliveries
        if delivery.envelope.delivery_id in details
    ]

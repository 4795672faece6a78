"""Takes parcels off a queue, batch after batch, and acknowledges them when they are committed."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from worker.errors import QueueUnavailable
from worker.logs import get_logger
from worker.processor.batch import BatchWriter, Committed
from worker.processor.parsing import ParsedParcels, parse_parcel, unknown_names
from worker.processor.reporting import report_batch
from worker.providers.provider import Provider
from worker.queue.port import Lease, QueueReader
from worker.settings_tree import ProcessorSettings

_log = get_logger()

_IDLE_WAIT_SECONDS = 0.5  # how long a stop may go unnoticed
_LONGEST_WAIT_SECONDS = 5.0
_PARCELS_AT_ONCE = 64


class _Batch(Struct, kw_only=True):
    """Parcels on their way through."""

    leases: list[Lease]
    parsed: ParsedParcels
    parse_seconds: float = 0.0


class Consumer:
    """Drains one queue. While one batch is being committed the next is taken and parsed.

    What is lent and not yet committed when the process dies is lent again; applying it twice changes nothing.
    """

    def __init__(
        self,
        *,
        name: str,
        reader: QueueReader,
        writer: BatchWriter,
        providers: Mapping[str, Provider],
        settings: ProcessorSettings,
    ) -> None:
        self._name = name
        self._reader = reader
        self._writer = writer
        self._providers = providers
        self._settings = settings
        self._waiting: deque[Lease] = deque()  # taken, not yet in a batch
        self._slots = asyncio.Semaphore(settings.batches_in_flight)

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then finishes what is under way and gives the rest back."""
        async with asyncio.TaskGroup() as under_way:
            while not stop.is_set():
                await self._slots.acquire()
                batch = await self._next_batch(stop)
                if batch is None:
                    self._slots.release()
                    continue
                under_way.create_task(self._finish(batch))
        if self._waiting:
            await self._reader.give_back(list(self._waiting))

    async def _next_batch(self, stop: asyncio.Event) -> _Batch | None:
        """The next batch: full, or complete after batch_max_wait_seconds; None when there is nothing for now."""
        batch = _Batch(leases=[], parsed=ParsedParcels())
        deadline = 0.0
        while not stop.is_set() and batch.parsed.event_count < self._settings.batch_max_events:
            if not self._waiting:
                wait = _IDLE_WAIT_SECONDS if not batch.leases else deadline - time.monotonic()
                if wait <= 0 or not await self._take(wait):
                    break
            lease = self._waiting.popleft()
            if not batch.leases:
                deadline = time.monotonic() + self._settings.batch_max_wait_seconds
            started = time.perf_counter()
            parse_parcel(lease.parcel, batch.parsed, providers=self._providers, now=datetime.now(UTC))
            batch.parse_seconds += time.perf_counter() - started
            batch.leases.append(lease)
        return batch if batch.leases else None

    async def _take(self, wait_seconds: float) -> bool:
        """True when parcels were lent."""
        try:
            leases = await self._reader.take(max_parcels=_PARCELS_AT_ONCE, max_wait_seconds=wait_seconds)
        except QueueUnavailable:
            # The adapter logs the loss and reconnects by itself; leases given before are void and come again.
            self._waiting.clear()
            await asyncio.sleep(min(wait_seconds, _LONGEST_WAIT_SECONDS))
            return False
        self._waiting.extend(leases)
        return bool(leases)

    async def _finish(self, batch: _Batch) -> None:
        try:
            started = time.perf_counter()
            parsed = batch.parsed
            committed = await self._writer.commit(parsed.deliveries, parsed.set_aside)
            await self._acknowledge(batch.leases)
            self._report(batch, committed, store_seconds=time.perf_counter() - started)
        finally:
            self._slots.release()

    async def _acknowledge(self, leases: list[Lease]) -> None:
        try:
            await self._reader.acknowledge(leases)
        except QueueUnavailable:
            return  # they will be lent again, found to be known, and acknowledged then

    def _report(self, batch: _Batch, committed: Committed, *, store_seconds: float) -> None:
        for (source, provider, name), count in unknown_names(
            event for delivery in batch.parsed.deliveries for event in delivery.events
        ).items():
            _log.warning("event.unknown", source=source, provider=provider, vendor_event=name, count=count)
        report_batch(
            batch.parsed,
            committed,
            queue=self._name,
            parcels=len(batch.leases),
            parse_seconds=batch.parse_seconds,
            store_seconds=store_seconds,
        )

"""Loads of parcels, and how their events take effect.

A load is divided into batches by contact; each batch is one transaction. The batches of a load share no contact, so
they never wait for each other's locks: while Postgres writes one, Python prepares the next.

A large parcel is a load of its own. It is parsed and committed part by part, one such parcel at a time.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from random import randrange
from typing import Any, TypeVar
from zlib import crc32

import msgspec
from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from worker.processor.batch import BatchWriter, Committed
from worker.processor.dead_parcel import dead_deliveries
from worker.processor.intake_counts import Counted
from worker.processor.load_trace import LoadTrace, begin_load_trace
from worker.processor.parcel_parts import LARGE_PARCEL_BYTES, parcel_parts
from worker.processor.parsing import ParsedParcels, parse_parcel
from worker.processor.reporting import report_given_up, report_load, report_unknown
from worker.processor.trials import parcel_hash
from worker.providers.bound_sources import BoundSources
from worker.queue.port import Lease
from worker.store.dead_letters import SetAsideDelivery

_BATCHES_OF_A_LOAD = 4
_MOST_LOAD_BYTES = 4 * 1024 * 1024  # deliveries that are set aside have no events, but stay in memory

_Result = TypeVar("_Result")


class Load(Struct, kw_only=True):
    """Several parcels, parsed; or a large one, which is parsed while it is stored."""

    leases: list[Lease] = []
    parsed: ParsedParcels = msgspec.field(default_factory=ParsedParcels)
    parse_seconds: float = 0.0
    size_bytes: int = 0
    large_parcel: bytes = b""  # the only one, in place of `parsed`
    large_parcel_hash: bytes = b""
    counted: Counted = msgspec.field(default_factory=set)  # shared by the parts of a large parcel

    def parcel_hashes(self) -> list[bytes]:
        """The hashes of its parcels, as worker.processor.trials knows them."""
        if self.large_parcel_hash:
            return [self.large_parcel_hash]
        return [parcel_hash(lease.parcel) for lease in self.leases]


class LoadWriter:
    """Makes loads and stores them. One serves all tasks of a consumer."""

    def __init__(
        self,
        *,
        queue: str,
        writer: BatchWriter,
        sources: BoundSources,
        most_events_of_a_batch: int,
        large_parcels: asyncio.Semaphore,
    ) -> None:
        """`queue` is its name in the log; `large_parcels` limits the large parcels that a process has in work."""
        self._queue = queue
        self._writer = writer
        self._sources = sources
        self._most_events_of_a_batch = most_events_of_a_batch
        self._large_parcels = large_parcels

    def is_full(self, load: Load) -> bool:
        """True if no parcel should be added any more."""
        return (
            load.parsed.event_count >= self._most_events_of_a_batch * _BATCHES_OF_A_LOAD
            or load.size_bytes >= _MOST_LOAD_BYTES
            or bool(load.large_parcel)
        )

    def add(self, lease: Lease, load: Load) -> bool:
        """Parses the parcel into the load; False if it is large and the load is not empty."""
        if len(lease.parcel) > LARGE_PARCEL_BYTES:
            if load.leases:
                return False
            # Only the load refers to the bytes, so that their memory is free as soon as they are parsed.
            load.large_parcel, load.large_parcel_hash = lease.parcel, parcel_hash(lease.parcel)
            load.leases.append(msgspec.structs.replace(lease, parcel=b""))
            return True
        started = time.perf_counter()
        parse_parcel(
            lease.parcel,
            load.parsed,
            sources=self._sources,
            now=datetime.now(UTC),
        )
        load.parse_seconds += time.perf_counter() - started
        load.leases.append(lease)
        load.size_bytes += len(lease.parcel)
        return True

    async def store(self, load: Load, transactions: asyncio.Semaphore) -> int:
        """Everything in the load is in effect or set aside when this returns; gives the number of its contacts.

        `transactions` limits how many are under way at a time. Raises StoreUnavailable.
        """
        if load.large_parcel:
            async with self._large_parcels:
                return await self._store_parts(load, transactions)
        return await self._store(load, transactions)

    async def give_up(self, parcel: bytes, *, reason: str, detail: str) -> None:
        """Sets the parcel's deliveries aside, unparsed. Raises StoreUnavailable."""
        deliveries = dead_deliveries(parcel, reason=reason, detail=detail, now=datetime.now(UTC))
        await self._writer.set_aside(deliveries)
        report_given_up(deliveries)

    async def _store_parts(self, load: Load, transactions: asyncio.Semaphore) -> int:
        """Stores each part before it parses the next one."""
        parts = parcel_parts(load.large_parcel, sources=self._sources, now=datetime.now(UTC))
        load.large_parcel = b""
        contacts = 0
        while True:
            started = time.perf_counter()
            # A part takes tenths of a second: the event loop goes on meanwhile.
            parsed = await asyncio.to_thread(next, parts, None)
            if parsed is None:
                return contacts
            part = Load(
                leases=load.leases,
                parsed=parsed,
                parse_seconds=time.perf_counter() - started,
                counted=load.counted,
            )
            contacts += await self._store(part, transactions)

    async def _store(self, load: Load, transactions: asyncio.Semaphore) -> int:
        trace = begin_load_trace(load.parsed, queue=self._queue)
        with trace:
            return await self._store_traced(load, transactions, trace)

    async def _store_traced(self, load: Load, transactions: asyncio.Semaphore, trace: LoadTrace) -> int:
        started = time.perf_counter()
        parsed = load.parsed
        await self._writer.refuse_replays(parsed)
        await self._writer.refuse_unknown_accounts(parsed, self._sources)

        async def commit(batch: Sequence[FeedbackEvent]) -> Committed:
            async with transactions:
                with trace.transaction(len(batch)):
                    return await self._writer.commit(batch, traces=trace.contexts)

        committed = await all_of(commit(batch) for batch in divide_by_contact(parsed, self._most_events_of_a_batch))
        set_aside = [*parsed.set_aside, *_deliveries_of_refused(parsed, committed)]
        await self._writer.set_aside(set_aside)
        trace.note_outcome(parsed, committed, set_aside)
        report_unknown(parsed)
        report_load(
            parsed,
            committed,
            set_aside,
            queue=self._queue,
            parcels=len(load.leases),
            parse_seconds=load.parse_seconds,
            store_seconds=time.perf_counter() - started,
            trace=trace,
            counted=load.counted,
        )
        return sum(applied.contacts for one in committed for applied in one.applied)


async def all_of(work: Iterable[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """The results of all coroutines. All have ended when this returns, or raises what the first failed one raised."""
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]


def divide_by_contact(parsed: ParsedParcels, most_events: int) -> list[list[FeedbackEvent]]:
    """The events in batches of about `most_events`, none empty; all events of a contact are in the same batch.

    A contact's batch follows from its address alone, so it is the same in every process: two processors that work on
    different batches have no contact in common. Each begins with a random one.
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
    """The deliveries with a refused event, whole; their other events are applied all the same."""
    details = {refused.event.delivery_id: refused.detail for one in committed for refused in one.refused}
    return [
        delivery.set_aside(reason="store_refused", detail=details[delivery.envelope.delivery_id])
        for delivery in parsed.deliveries
        if delivery.envelope.delivery_id in details
    ]

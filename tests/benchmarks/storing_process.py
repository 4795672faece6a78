"""Stores events, in a process of its own: through our processor, or by COPY.

Prints a line when all is at hand, waits for a line, stores, and prints one JSON object (`Stored`).

`process`: parcels are read from a file into memory first, and handed over by a queue reader that has them all,
so that neither a broker nor a disk is in the figure; what follows is the worker's own code, from the parcel to the
commit and the acknowledgement, with its log lines.

`copy`: rows are read from a database into memory first, as they were stored there by our processor; what is
measured is asyncpg's binary COPY of them into the same tables of another database, each in one go.
"""

import argparse
import asyncio
import gc
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import uvloop
from msgspec import Struct

from schemas.lane import SHARED_LANE, Lane
from tests.benchmarks.machine import peak_memory_mib
from worker.contacts.policies import Policies, configure_policy
from worker.process.logs import configure_logging
from worker.processor.batch import BatchWriter
from worker.processor.consumer import Consumer
from worker.processor.service import GARBAGE_THRESHOLDS, batch_rules, processor_pool
from worker.processor.trial_room import TrialRoom
from worker.processor.trials import Trials
from worker.providers.bound_sources import BoundSources
from worker.queue.port import Lease, Share
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings
from worker.store.event_rows import EVENT_COLUMNS
from worker.store.pool import Pool, set_codecs

_decode_parcels = msgspec.msgpack.Decoder(list[bytes]).decode
_TABLES = ("calm_events", "entries")
_COLUMNS = ", ".join(EVENT_COLUMNS)


class Stored(Struct, frozen=True, kw_only=True):
    """How long it took. Times are time.monotonic() of this machine, comparable between its processes."""

    started_at: float
    finished_at: float
    cpu_seconds: float  # of this process
    peak_memory_mib: float


class ParcelsInMemory:
    """A QueueReader that has all parcels at hand and tells when the last one is acknowledged."""

    def __init__(self, parcels: Sequence[bytes]) -> None:
        self._parcels = parcels
        self._taken = 0
        self._lent: set[int] = set()
        self._acknowledged = 0
        self.all_acknowledged = asyncio.Event()

    async def take(
        self, *, max_parcels: int, max_wait_seconds: float, max_bytes: int | None = None, share: Share = Share.ANY
    ) -> list[Lease]:
        """The next parcels, all of them a backlog; [] after the wait when there are none left."""
        if share is Share.FIRST or self._taken == len(self._parcels):
            await asyncio.sleep(max_wait_seconds)
            return []
        await asyncio.sleep(0)  # a real queue lets others run, too
        until, size_bytes = self._taken, 0
        last = min(self._taken + max_parcels, len(self._parcels))
        while until < last and (max_bytes is None or size_bytes < max_bytes):
            size_bytes += len(self._parcels[until])
            until += 1
        numbers = range(self._taken, until)
        self._taken = until
        self._lent.update(numbers)
        return [Lease(tag=number, parcel=self._parcels[number], delivery_count=0) for number in numbers]

    async def acknowledge(self, leases: Sequence[Lease]) -> None:
        """Counts them."""
        for lease in leases:
            self._lent.remove(lease.tag)
        self._acknowledged += len(leases)
        if self._acknowledged == len(self._parcels):
            self.all_acknowledged.set()

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Never asked for here: nothing is stopped half-way."""
        raise NotImplementedError(f"{len(leases)} parcels were given back before all were acknowledged")

    async def suspend(self) -> None:
        """Never asked for here: Postgres is there."""
        raise NotImplementedError("Postgres went away in the middle")

    async def resume(self) -> None:
        """As suspend."""

    async def depths(self) -> Mapping[Lane, int] | None:
        """How many are not lent yet."""
        return {SHARED_LANE: len(self._parcels) - self._taken}

    async def depth(self) -> int | None:
        """How many are not lent yet."""
        return len(self._parcels) - self._taken

    async def close(self) -> None:
        """Nothing to let go of."""


async def _process(settings: Settings, parcels: Sequence[bytes]) -> Stored:
    reader = ParcelsInMemory(parcels)
    async with processor_pool(settings) as pool:
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        await configure_policy(pool, settings.policy, now=datetime.now(UTC))
        await _open_connections(pool, settings.processor.batches_in_flight)
        consumer = Consumer(
            name="memory",
            reader=reader,
            writer=BatchWriter(pool, await batch_rules(pool, settings, Policies(settings.policy))),
            trials=Trials(pool),
            room=TrialRoom(),
            sources=BoundSources(settings.sources),
            settings=settings.processor,
        )
        stop = asyncio.Event()
        gc.freeze()  # what was prepared is not the processor's garbage
        await _wait_for_the_word()
        cpu_before, started = time.process_time(), time.monotonic()
        running = asyncio.create_task(consumer.run(stop))
        done = asyncio.create_task(reader.all_acknowledged.wait())
        await asyncio.wait([running, done], return_when=asyncio.FIRST_COMPLETED)
        stored = _stored(started, cpu_before)
        stop.set()
        await running
    return stored


async def _open_connections(pool: Pool, count: int) -> None:
    """A processor that has been at work has its connections open."""
    async with AsyncExitStack() as stack:
        for _ in range(count):
            await stack.enter_async_context(pool.acquire())


async def _copy(from_dsn: str, to_dsn: str) -> Stored:
    source = await asyncpg.connect(from_dsn)
    await set_codecs(source)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for table in _TABLES:
        # In the order in which they were written.
        records = await source.fetch(f"SELECT {_COLUMNS} FROM {table} ORDER BY tableoid, ctid")  # noqa: S608 - constants
        rows[table] = [tuple(record) for record in records]
        del records
    await source.close()
    target = await asyncpg.connect(to_dsn)
    await set_codecs(target)
    gc.freeze()
    await _wait_for_the_word()
    cpu_before, started = time.process_time(), time.monotonic()
    for table, of_table in rows.items():
        await target.copy_records_to_table(table, columns=EVENT_COLUMNS, records=of_table)
    stored = _stored(started, cpu_before)
    await target.close()
    return stored


async def _wait_for_the_word() -> None:
    """Several such processes start at the same moment."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


def _stored(started_at: float, cpu_before: float) -> Stored:
    return Stored(
        started_at=started_at,
        finished_at=time.monotonic(),
        cpu_seconds=time.process_time() - cpu_before,
        peak_memory_mib=peak_memory_mib(os.getpid()) or 0.0,
    )


def _main() -> None:
    parser = argparse.ArgumentParser(prog="storing_process")
    modes = parser.add_subparsers(dest="mode", required=True)
    process = modes.add_parser("process")
    process.add_argument("config", type=Path)
    process.add_argument("parcels", type=Path)
    copy = modes.add_parser("copy")
    copy.add_argument("from_dsn")
    copy.add_argument("to_dsn")
    options = parser.parse_args()
    if options.mode == "process":
        settings = load_settings(config_file=options.config, environment={}, overrides={})
        configure_logging(level=settings.logs.level, process="processor")
        stored = uvloop.run(_process(settings, _decode_parcels(options.parcels.read_bytes())))
    else:
        stored = uvloop.run(_copy(options.from_dsn, options.to_dsn))
    sys.stdout.write(msgspec.json.encode(stored).decode() + "\n")


if __name__ == "__main__":
    _main()

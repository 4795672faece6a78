"""The processor against COPY of the same event rows into the same tables with their indexes.

Ours does everything: decode, parse, classify, find duplicates, lock contacts, fold, decide, write events, contacts,
history, commit, acknowledge. The baseline only writes the events' rows, which it is given ready-made.
"""

from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import asyncpg

from tests.benchmarks.benchmark import Bench, Measurement, Outcome
from tests.benchmarks.feedback import sample_events
from tests.benchmarks.parcels import copy_rows, process_parcels, seconds_of, write_parcels
from tests.benchmarks.servers import write_config
from tests.benchmarks.services import empty_tables
from tests.benchmarks.stored_rows import bytes_per_event
from tests.benchmarks.storing_process import Stored
from worker.samples.sendgrid import SendGridSamples
from worker.store.partitions import make_partitions, months_later

_LARGEST_SHARE = 2  # as many processes as there are cores where goals are set


async def measure(bench: Bench) -> Outcome:
    """SendGrid webhooks of 100 events, in parcels that are in memory beforehand, in the best number of processes."""
    contest = _Contest(bench)
    await contest.prepare()
    rates = []
    for processors in range(1, _LARGEST_SHARE + 1):
        contest.processors = processors
        await contest.process()  # warms up, too
        rates.append(await contest.process())
        bench.progress(f"trial · processor · processors: {processors} · {rates[-1]:,.0f} events/s")
    contest.processors = 1 + rates.index(max(rates))
    figures = await bench.in_turns("processor", ("ours", contest.process), ("COPY", contest.copy))
    outcome = Outcome()
    outcome.measurements.append(
        Measurement(
            what="processor, events per second",
            against="COPY of the same event rows into the same tables with their indexes",
            unit="/s",
            ours=figures[0],
            baseline=figures[1],
        )
    )
    cost = median(one.cpu_seconds for one in contest.runs) * contest.processors / contest.count * 1_000_000
    told = ", ".join(f"{number} → {rate:,.0f}/s" for number, rate in enumerate(rates, start=1))
    outcome.remark("processor, by number of processes", f"{told}; {cost:.0f} µs of Python per event")
    peak = max(one.peak_memory_mib for one in contest.runs)
    outcome.remark("processor, peak memory of a process", f"{peak:.0f} MiB, input included")
    outcome.remark("bytes per stored event, as SendGrid's", await bytes_per_event(contest.ours))
    return outcome


class _Contest:
    """Our processor on one database, COPY on its twin."""

    def __init__(self, bench: Bench) -> None:
        self.count = bench.size(200_000, 40_000)
        self.processors = 1
        self.runs: list[Stored] = []  # of the processor, in the number of processors that is set
        self.ours = ""
        self._twin = ""
        self._bench = bench
        self._config = bench.folder / "processor.toml"
        self._log_file = bench.folder / "processor.log"
        self._shares: dict[int, list[Path]] = {}

    async def prepare(self) -> None:
        """Makes events and databases."""
        bench, now = self._bench, datetime.now(UTC)
        bench.progress(f"processor: making {self.count:,} events")
        sender = SendGridSamples()
        events = sample_events(self.count, seed=1, now=now)
        for shares in range(1, _LARGEST_SHARE + 1):
            self._shares[shares] = write_parcels(
                bench.folder / "parcels", sender, events, received_at=now, shares=shares
            )
        self.ours = await bench.services.database("bench_processor")
        self._twin = await bench.services.database("bench_copy")
        for dsn in (self.ours, self._twin):
            await prepare_months(dsn, now)
        write_config(
            self._config,
            sources=[sender.source("sendgrid")],
            postgres_url=self.ours,
            queue_url="amqp://unused/",
        )

    async def process(self) -> float:
        """Events per second of our processor, from empty tables."""
        await empty_tables(self.ours)
        self.runs = await process_parcels(self._log_file, self._config, self._shares[self.processors])
        await _require_stored(self.ours, self.count)
        return self.count / seconds_of(self.runs)

    async def copy(self) -> float:
        """Rows per second of COPY, from empty tables; the rows are those that ours has stored just before."""
        await empty_tables(self._twin)
        copied = await copy_rows(self._log_file, self.ours, self._twin)
        await _require_stored(self._twin, self.count)
        return self.count / seconds_of([copied])


async def prepare_months(dsn: str, now: datetime) -> None:
    """This month and the one before have their tables, as they have in a running installation."""
    connection = await asyncpg.connect(dsn)
    try:
        await make_partitions(connection, [months_later(now.replace(day=1), -1), now])
    finally:
        await connection.close()


async def _require_stored(dsn: str, count: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        stored = await connection.fetchval("SELECT count(*) FROM log")
    finally:
        await connection.close()
    if stored != count:
        raise RuntimeError(f"{stored:,} events of {count:,} were stored: a figure for fewer would be no figure")

"""The processor with a campaign on each event, against the processor on the same webhooks without campaigns.

Beside the events per second stands what they cost, in microseconds of CPU of the processor and of Postgres' sessions:
that is the same whatever else the machine does.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import asyncpg
from msgspec.structs import replace

from tests.benchmarks.benchmark import Bench, Measurement, Outcome
from tests.benchmarks.feedback import sample_events
from tests.benchmarks.parcels import process_parcels, seconds_of, write_parcels
from tests.benchmarks.processor_throughput import prepare_months
from tests.benchmarks.servers import write_config
from tests.benchmarks.services import empty_tables
from worker.providers.campaign_rule import NO_CAMPAIGNS
from worker.samples.sendgrid import SendGridSamples

_SIZES = """
    SELECT count(*), pg_total_relation_size('campaign_recipients'), pg_relation_size('campaign_recipients')
      FROM campaign_recipients
"""


async def measure(bench: Bench) -> Outcome:
    """SendGrid webhooks of 100 events, one process; the same parcels with `campaign_from` and with "none"."""
    contest = _Contest(bench)
    await contest.prepare()
    await contest.with_campaigns()  # warms up, too
    contest.forget_costs()
    figures = await bench.in_turns("campaigns", ("with", contest.with_campaigns), ("without", contest.without))
    outcome = Outcome()
    outcome.measurements.append(
        Measurement(
            what="processor with a campaign on each event, events per second",
            against="the same webhooks without campaigns",
            unit="/s",
            ours=figures[0],
            baseline=figures[1],
        )
    )
    outcome.measurements.append(
        Measurement(
            what="the same, microseconds of CPU per event, of the processor and of Postgres' sessions",
            against="the same webhooks without campaigns",
            unit=" µs",
            ours=list(contest.costs["with"]),
            baseline=list(contest.costs["without"]),
        )
    )
    told = ", ".join(f"{name} {median(costs):.0f} µs" for name, costs in contest.python_costs.items())
    outcome.remark("of which Python's", told)
    await contest.with_campaigns()
    outcome.remark("bytes per recipient of a campaign", await contest.bytes_per_recipient())
    return outcome


class _Contest:
    """One database and one file of parcels for both."""

    def __init__(self, bench: Bench) -> None:
        self._count = bench.size(100_000, 30_000)
        self._bench = bench
        self._dsn = ""
        self._postgres_pid = 0
        self.costs: dict[str, list[float]] = {}  # microseconds of CPU per event, round by round
        self.python_costs: dict[str, list[float]] = {}  # the processor's part of it
        self.forget_costs()
        self._log_file = bench.folder / "campaigns.log"
        self._configs = {name: bench.folder / f"campaigns-{name}.toml" for name in ("with", "without")}
        self._parcels: list[Path] = []

    async def prepare(self) -> None:
        """Makes events and a database."""
        now, sender = datetime.now(UTC), SendGridSamples()
        events = sample_events(self._count, seed=2, now=now)
        self._parcels = write_parcels(self._bench.folder / "campaigns", sender, events, received_at=now)
        self._postgres_pid = (await self._bench.services.postgres()).pid
        self._dsn = await self._bench.services.database("bench_campaigns")
        await prepare_months(self._dsn, now)
        source = sender.source("sendgrid")
        for name, rule in (("with", "metadata.campaign"), ("without", NO_CAMPAIGNS)):
            write_config(
                self._configs[name],
                sources=[replace(source, campaign_from=rule)],
                postgres_url=self._dsn,
                queue_url="amqp://unused/",
            )

    def forget_costs(self) -> None:
        """What was measured until now does not count."""
        self.costs = {"with": [], "without": []}
        self.python_costs = {"with": [], "without": []}

    async def with_campaigns(self) -> float:
        """Events per second, from empty tables."""
        rate = await self._process("with")
        if not (await self._sizes())[0]:
            raise RuntimeError("no recipient was stored: a figure for none would be no figure")
        return rate

    async def without(self) -> float:
        """The same without campaigns."""
        rate = await self._process("without")
        if (await self._sizes())[0]:
            raise RuntimeError("recipients were stored where there should be none")
        return rate

    async def bytes_per_recipient(self) -> str:
        """What a row takes, with and without its indexes."""
        rows, total, table = await self._sizes()
        return f"{total / rows:.0f} with its indexes, {table / rows:.0f} without; {rows:,} recipients"

    async def _process(self, name: str) -> float:
        await empty_tables(self._dsn)
        before = _ended_childrens_cpu_seconds(self._postgres_pid)
        stored = await process_parcels(self._log_file, self._configs[name], self._parcels)
        python = sum(one.cpu_seconds for one in stored)
        postgres = _ended_childrens_cpu_seconds(self._postgres_pid) - before
        self.costs[name].append((python + postgres) / self._count * 1_000_000)
        self.python_costs[name].append(python / self._count * 1_000_000)
        return self._count / seconds_of(stored)

    async def _sizes(self) -> tuple[int, int, int]:
        connection = await asyncpg.connect(self._dsn)
        try:
            rows, total, table = await connection.fetchrow(_SIZES) or (0, 0, 0)
        finally:
            await connection.close()
        return rows, total, table


def _ended_childrens_cpu_seconds(pid: int) -> float:
    """Of the sessions of a Postgres that have ended, as that of a processor that has stopped."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

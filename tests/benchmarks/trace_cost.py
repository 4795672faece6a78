"""What traces cost: CPU of a receiver and a processor for each webhook, with traces off, for one of a hundred, for all.

Every variant has a receiver and a processor of its own, on one database and one broker. The same webhooks go through
each of them in turns. What is measured is the processor time of the two processes, which a busy machine hardly
changes. The collector takes everything, in the process of the benchmark.
"""

import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from aiohttp import web

from schemas.source import Source
from tests.benchmarks.benchmark import Bench, Measurement, Outcome
from tests.benchmarks.feedback import sample_events, signed_requests
from tests.benchmarks.load import require_all_accepted, send, write_requests
from tests.benchmarks.pipeline import wait_for_commits
from tests.benchmarks.processor_throughput import prepare_months
from tests.benchmarks.servers import Server, our_command, stop_all, write_config
from tests.benchmarks.services import empty_tables
from worker.samples.postmark import PostmarkSamples

_SOURCE = "postmark"
_RATIOS = (0.01, 1.0)
_ROLES = ("receiver", "processor")


async def measure(bench: Bench) -> Outcome:
    """Traces against none, in microseconds of CPU for a webhook with one event."""
    count = bench.size(20_000, 4_000)
    sender = PostmarkSamples()
    bench.progress(f"traces: making {count:,} requests")
    requests = write_requests(
        bench.folder / "traces.requests",
        signed_requests(sender, sample_events(count, seed=3)),
        f"/webhooks/{_SOURCE}",
    )
    outcome = Outcome()
    async with _collecting() as (collector_url, received):
        contest = _Contest(bench, requests, count, sender.source(_SOURCE))
        await contest.prepare()
        off = partial(contest.cost, "off", {})
        traced = [
            (f"{ratio:g} traced", partial(contest.cost, f"ratio-{ratio:g}", _settings(collector_url, ratio)))
            for ratio in _RATIOS
        ]
        for _, warm_up in (("off", off), *traced):
            await warm_up()
        baseline, *figures = await bench.in_turns("traces", ("off", off), *traced, unit="µs")
    for ratio, figure in zip(_RATIOS, figures, strict=True):
        outcome.measurements.append(
            Measurement(
                what=f"CPU for a webhook, {ratio:.0%} traced",
                against="the same with traces off",
                unit="µs",
                ours=figure,
                baseline=baseline,
            )
        )
    for name, by_role in contest.by_role.items():
        told = ", ".join(f"{role} {statistics.median(costs[1:]):.1f} µs" for role, costs in by_role.items())
        outcome.remark(f"CPU for a webhook, traces: {name}", told)
    outcome.remark("requests that the collector took", f"{received[0]:,}")
    return outcome


class _Contest:
    """One pair of processes at a time, so that none of another variant takes its parcels."""

    def __init__(self, bench: Bench, requests: Path, count: int, source: Source) -> None:
        self._bench = bench
        self._requests = requests
        self._count = count
        self._source = source
        self._dsn = ""
        self.by_role: dict[str, dict[str, list[float]]] = {}  # CPU in µs of each run, by variant and role

    async def prepare(self) -> None:
        """Makes the database."""
        self._dsn = await self._bench.services.database("bench_traces")
        await prepare_months(self._dsn, datetime.now(UTC))

    async def cost(self, name: str, traces: dict[str, float | str]) -> float:
        """CPU of both processes for one webhook, in µs, from the first request to the last commit."""
        bench = self._bench
        await empty_tables(self._dsn)
        config = bench.folder / f"traces-{name}.toml"
        broker = await bench.services.rabbitmq()
        port = write_config(
            config,
            sources=[self._source],
            postgres_url=self._dsn,
            queue_url=broker.url,
            sections={"traces": traces} if traces else None,
        )
        servers: list[Server] = []
        try:
            for role, ports in zip(_ROLES, ([port], []), strict=True):
                servers.append(
                    await Server.start(
                        f"{name}-{role}",
                        our_command(role, config),
                        folder=bench.folder,
                        ports=ports,
                        ready_text="process.started",
                    )
                )
            before = [server.cpu_seconds() for server in servers]
            report = await send(self._requests, [port])
            require_all_accepted(report, name)
            await wait_for_commits(self._dsn, self._count, name)
            used = [server.cpu_seconds() - earlier for server, earlier in zip(servers, before, strict=True)]
        finally:
            await stop_all(servers)
        costs = [seconds / self._count * 1_000_000 for seconds in used]
        for role, cost in zip(_ROLES, costs, strict=True):
            self.by_role.setdefault(name, {}).setdefault(role, []).append(cost)
        return sum(costs)


def _settings(collector_url: str, ratio: float) -> dict[str, float | str]:
    return {"enabled": True, "endpoint": collector_url, "ratio": ratio}


@asynccontextmanager
async def _collecting() -> AsyncIterator[tuple[str, list[int]]]:
    """The URL of a collector that reads and forgets, and how many requests it has taken."""
    received = [0]

    async def take(request: web.Request) -> web.Response:
        await request.read()
        received[0] += 1
        return web.Response(content_type="application/x-protobuf")

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", received
    finally:
        await runner.cleanup()

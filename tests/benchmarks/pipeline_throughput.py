"""The whole way, from a webhook to a committed status, against Django with django-anymail.

Both get the same webhooks over the same 64 connections from the same load generator, check the same passwords or
signatures, and store the same in the same Postgres (each in a database of its own) with every commit flushed.
Time runs from the first request to the last commit, which both databases tell by themselves. Each side runs in the
fastest of several configurations.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TypeVar

import msgspec
from msgspec import Struct

from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.feedback import BATCH_EVENTS, sample_events, signed_requests
from tests.benchmarks.load import write_requests
from tests.benchmarks.machine import child_processes, peak_memory_mib
from tests.benchmarks.peer import (
    BATCH_CONFIGURATIONS,
    CONFIGURATIONS,
    WEBHOOK_PATHS,
    PeerConfiguration,
    ensure_environment,
    start_peer,
)
from tests.benchmarks.pipeline import OurPipeline, Topology, committed_rate
from tests.benchmarks.pipeline_latency import latencies_text
from tests.benchmarks.processor_throughput import prepare_months
from tests.benchmarks.servers import Server
from tests.benchmarks.stored_rows import PEER_ROWS, bytes_per_event, make_peer_table
from worker.samples.postmark import PostmarkSamples
from worker.samples.sample import SampleSender
from worker.samples.sendgrid import SendGridSamples

_SOURCE = "bench"
_OUR_PATH = f"/webhooks/{_SOURCE}"
_TOPOLOGIES = (
    Topology(receivers=1, processors=1),
    Topology(receivers=2, processors=1),
    Topology(receivers=1, processors=2),
    Topology(receivers=2, processors=2),
)
_HALF_LOAD_SECONDS = 20
_Candidate = TypeVar("_Candidate", Topology, PeerConfiguration)


class _Shape(Struct, frozen=True, kw_only=True):
    """One way in which events arrive."""

    name: str
    sender: SampleSender
    batch_events: int
    ours_count: int
    peer_count: int  # it is slower and so gets fewer: the rate is what counts
    peer_configurations: tuple[PeerConfiguration, ...]
    goal: Goal | None = Goal(at_least=10)


async def measure(bench: Bench) -> Outcome:
    """Single-event webhooks, then batches of 100."""
    await ensure_environment(bench)
    outcome = Outcome()
    for shape in _shapes(bench):
        await _Contest(bench, shape).run(outcome)
    outcome.remark("largest Postgres process, shared buffers included", await _postgres_memory(bench))
    return outcome


def _shapes(bench: Bench) -> tuple[_Shape, ...]:
    singles = _Shape(
        name="single-event webhooks",
        sender=PostmarkSamples(),  # a vendor that never puts more than one event into a webhook
        batch_events=1,
        ours_count=bench.size(60_000, 6_000),
        peer_count=bench.size(10_000, 1_500),
        peer_configurations=CONFIGURATIONS,
    )
    # The same with a signature that takes either side as long to check as all the rest takes us.
    signed = msgspec.structs.replace(singles, name="single-event webhooks, ECDSA", sender=SendGridSamples(), goal=None)
    batches = _Shape(
        name=f"SendGrid batches of {BATCH_EVENTS}",
        sender=SendGridSamples(),
        batch_events=BATCH_EVENTS,
        ours_count=bench.size(300_000, 40_000),
        peer_count=bench.size(20_000, 3_000),
        peer_configurations=BATCH_CONFIGURATIONS,
    )
    return (singles, batches, signed)


class _Contest:
    """Ours and the peer in turns, for one shape of traffic."""

    def __init__(self, bench: Bench, shape: _Shape) -> None:
        self._bench = bench
        self._shape = shape
        self._sender = shape.sender
        self._ours_dsn = ""
        self._peer_dsn = ""

    async def run(self, outcome: Outcome) -> None:
        """Adds the measurement, and what is printed besides, to the outcome."""
        bench, shape = self._bench, self._shape
        self._ours_dsn = await bench.services.database("bench_pipeline")
        self._peer_dsn = await bench.services.database("bench_peer")
        for dsn in (self._ours_dsn, self._peer_dsn):
            await prepare_months(dsn, datetime.now(UTC))
        await make_peer_table(self._peer_dsn)
        bench.progress(f"pipeline, {shape.name}: making requests")
        ours_file = self._requests("ours", shape.ours_count, _OUR_PATH)
        peer_file = self._requests("peer", shape.peer_count, WEBHOOK_PATHS[shape.sender.provider])
        configuration = await self._fastest_configuration(peer_file)
        topology = await self._fastest_topology(ours_file)
        pipeline = await self._start_ours(topology)
        try:
            peer = await self._start_peer(configuration)
            try:
                figures = await bench.in_turns(
                    f"pipeline, {shape.name}",
                    ("ours", lambda: pipeline.rate(ours_file, shape.ours_count)),
                    ("Django", lambda: self._peer_rate(peer, peer_file)),
                )
                memory = [f"{one.name} {one.peak_memory_mib():.0f} MiB" for one in (*pipeline.servers, peer)]
            finally:
                await peer.stop()
            sizes = await bytes_per_event(self._ours_dsn)
            half_load = await self._half_load(pipeline, median(figures[0]) / 2)
        finally:
            await pipeline.stop()
        if shape.goal is None:
            ratio = median(ours / theirs for ours, theirs in zip(*figures, strict=True))
            told = f"{median(figures[0]):,.0f} events/s, Django {median(figures[1]):,.0f}: {ratio:.1f} times as many"
            outcome.remark(f"pipeline, {shape.name}", told)
        else:
            outcome.measurements.append(
                Measurement(
                    what=f"pipeline, {shape.name} to committed status",
                    against="Django + django-anymail + psycopg behind gunicorn",
                    unit=" events/s",
                    ours=figures[0],
                    baseline=figures[1],
                    goal=shape.goal,
                )
            )
        outcome.remark(f"{shape.name}: fastest configurations", f"ours {topology}; Django {configuration}")
        outcome.remark(f"{shape.name}: webhook to committed status at half load", half_load)
        outcome.remark(f"{shape.name}: peak memory", ", ".join(memory))
        outcome.remark(f"{shape.name}: bytes per stored event", sizes)

    def _requests(self, name: str, count: int, path: str) -> Path:
        events = sample_events(count, seed=4)
        requests = signed_requests(self._sender, events, batch_events=self._shape.batch_events)
        return write_requests(self._bench.folder / f"{name}.requests", requests, path)

    async def _start_ours(self, topology: Topology) -> OurPipeline:
        source = self._sender.source(_SOURCE)
        return await OurPipeline.start(self._bench, topology, sources=[source], dsn=self._ours_dsn)

    async def _start_peer(self, configuration: PeerConfiguration) -> Server:
        return await start_peer(self._bench, configuration, dsn=self._peer_dsn, sender=self._sender)

    async def _peer_rate(self, peer: Server, requests: Path) -> float:
        return await committed_rate(
            requests, peer.ports, dsn=self._peer_dsn, count=self._shape.peer_count, name="Django", rows=PEER_ROWS
        )

    async def _fastest_topology(self, requests: Path) -> Topology:
        async def rate(topology: Topology) -> float:
            pipeline = await self._start_ours(topology)
            try:
                return await pipeline.rate(requests, self._shape.ours_count)
            finally:
                await pipeline.stop()

        return await self._fastest(_TOPOLOGIES, rate)

    async def _fastest_configuration(self, requests: Path) -> PeerConfiguration:
        async def rate(configuration: PeerConfiguration) -> float:
            peer = await self._start_peer(configuration)
            try:
                return await self._peer_rate(peer, requests)
            except RuntimeError as error:
                # Some fail under load, by deadlocks for instance: such a one cannot win.
                self._bench.progress(f"{configuration}: {error}")
                return 0.0
            finally:
                await peer.stop()

        return await self._fastest(self._shape.peer_configurations, rate)

    async def _fastest(
        self, candidates: Sequence[_Candidate], rate: Callable[[_Candidate], Awaitable[float]]
    ) -> _Candidate:
        if self._bench.quick:
            candidates = candidates[:1]
        rates = []
        for candidate in candidates:
            rates.append(await rate(candidate))
            self._bench.progress(f"trial · {self._shape.name} · {candidate} · {rates[-1]:,.0f} events/s")
        return candidates[rates.index(max(rates))]

    async def _half_load(self, pipeline: OurPipeline, events_per_second: float) -> str:
        rate = events_per_second / self._shape.batch_events
        requests = max(20, int(rate * self._bench.size(_HALF_LOAD_SECONDS, 3)))
        count = requests * self._shape.batch_events
        self._bench.progress(f"half load · {self._shape.name} · {events_per_second:,.0f} events/s")
        return await latencies_text(
            self._requests("half-load", count, _OUR_PATH),
            pipeline.ports,
            dsn=self._ours_dsn,
            rate=rate,
            events_per_request=self._shape.batch_events,
            count=count,
        )


async def _postgres_memory(bench: Bench) -> str:
    postgres = await bench.services.postgres()
    peaks = [peak_memory_mib(pid) or 0.0 for pid in (postgres.pid, *child_processes(postgres.pid))]
    return f"{max(peaks):.0f} MiB"

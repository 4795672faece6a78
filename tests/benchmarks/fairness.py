"""What a quiet source waits for while another one floods: from the moment a webhook was due to its status.

One source posts 10,000 events a second in webhooks of a hundred. Beside it twenty single events a second come from a
source of their own, then once more by way of the flooding source, as if there were one queue for all. The time of an
event counts from when its webhook was due to when Postgres committed it.
"""

import asyncio
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import aio_pika
import asyncpg
import msgspec

from schemas.lane import Lane
from schemas.queue_topology import lane_queue
from schemas.source import Source
from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.feedback import BATCH_EVENTS, sample_events, signed_requests
from tests.benchmarks.load import require_all_accepted, send, write_requests
from tests.benchmarks.pipeline import OurPipeline, Topology, wait_for_commits
from tests.benchmarks.processor_throughput import prepare_months
from tests.benchmarks.services import empty_tables
from tests.benchmarks.stored_rows import OUR_ROWS
from worker.samples.sample import SampleEvent
from worker.samples.sendgrid import SendGridSamples

FLOOD_EVENTS_PER_SECOND = 10_000
QUIET_PER_SECOND = 20
GOAL_SECONDS = 2.0
_FLOOD, _QUIET = "flood", "quiet"
_CONNECTIONS = 8
_READY_SECONDS = 30.0
_COMMITTED = f"""
    SELECT message_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM {OUR_ROWS} e
    WHERE message_id LIKE 'quiet%'
"""  # noqa: S608 - a constant


async def measure(bench: Bench) -> Outcome:
    """Alone, beside the flood, and in one queue with it, in turns."""
    dsn = await bench.services.database("bench_fairness")
    await prepare_months(dsn, datetime.now(UTC))
    fairness = _Fairness(bench, dsn)
    pipeline = await OurPipeline.start(bench, Topology(receivers=1, processors=1), sources=fairness.sources, dsn=dsn)
    try:
        await _wait_for_lanes(await _broker_url(bench), [source.name for source in fairness.sources])
        alone, beside, behind = await bench.in_turns(
            "fairness, p99",
            ("alone", lambda: fairness.p99(pipeline, _QUIET, flooded=False)),
            ("beside a flood", lambda: fairness.p99(pipeline, _QUIET, flooded=True)),
            ("in one queue with it", lambda: fairness.p99(pipeline, _FLOOD, flooded=True)),
            unit="ms",
        )
    finally:
        await pipeline.stop()
    outcome = Outcome()
    what = f"99 of 100 events of a quiet source are in effect beside {FLOOD_EVENTS_PER_SECOND:,} events/s of another"
    for against, baseline, goal in (
        ("what was promised", [GOAL_SECONDS * 1000] * len(beside), Goal(at_most=1)),
        ("the same without the flood", alone, None),
        ("the same in one queue with the flood", behind, None),
    ):
        outcome.measurements.append(
            Measurement(what=what, against=against, unit=" ms", ours=beside, baseline=baseline, goal=goal)
        )
    outcome.remark("the flood", "; ".join(fairness.floods))
    return outcome


class _Fairness:
    """The requests, and one measurement of them."""

    def __init__(self, bench: Bench, dsn: str) -> None:
        self._bench = bench
        self._dsn = dsn
        self._senders = {name: SendGridSamples() for name in (_FLOOD, _QUIET)}
        self.sources: Sequence[Source] = [sender.source(name) for name, sender in self._senders.items()]
        self.floods: list[str] = []  # what became of each
        seconds = bench.size(20, 6)
        self._flood_events = FLOOD_EVENTS_PER_SECOND * seconds
        self._quiet_events = QUIET_PER_SECOND * seconds

    async def p99(self, pipeline: OurPipeline, source: str, *, flooded: bool) -> float:
        """Milliseconds from when quiet events were due at this source to their commits."""
        await empty_tables(self._dsn)
        quiet = self._quiet_requests(source)
        times = quiet.with_suffix(".times")
        posting = [send(quiet, pipeline.ports, rate=QUIET_PER_SECOND, times=times, connections=_CONNECTIONS)]
        if flooded:
            rate = FLOOD_EVENTS_PER_SECOND / BATCH_EVENTS
            posting.append(send(self._flood_requests(), pipeline.ports, rate=rate, connections=_CONNECTIONS))
        reports = await asyncio.gather(*posting)
        for report in reports:
            require_all_accepted(report, "fairness")
        count = self._quiet_events + (self._flood_events if flooded else 0)
        last_commit = await wait_for_commits(self._dsn, count, "fairness")
        due_at = array("d")
        due_at.frombytes(times.read_bytes())
        if flooded:
            per_second = self._flood_events / (last_commit - min(due_at))
            self.floods.append(f"worked off at {per_second:,.0f} events/s")
        connection = await asyncpg.connect(self._dsn)
        try:
            rows = await connection.fetch(_COMMITTED)
        finally:
            await connection.close()
        waits = sorted(committed_at - due_at[int(message.removeprefix("quiet"))] for message, committed_at in rows)
        return float(waits[int(len(waits) * 0.99)]) * 1000

    def _quiet_requests(self, source: str) -> Path:
        events = [
            msgspec.structs.replace(event, address=f"{number}@quiet.example", message_id=f"quiet{number}")
            for number, event in enumerate(sample_events(self._quiet_events, seed=2))
        ]
        return self._write("quiet", source, events, batch_events=1)

    def _flood_requests(self) -> Path:
        return self._write("flood", _FLOOD, sample_events(self._flood_events, seed=1), batch_events=BATCH_EVENTS)

    def _write(self, name: str, source: str, events: Sequence[SampleEvent], *, batch_events: int) -> Path:
        requests = signed_requests(self._senders[source], events, batch_events=batch_events)
        return write_requests(self._bench.folder / f"{name}.requests", requests, f"/webhooks/{source}")


async def _broker_url(bench: Bench) -> str:
    return (await bench.services.rabbitmq()).url


async def _wait_for_lanes(broker_url: str, sources: Sequence[str]) -> None:
    """Returns when the processor reads from the queue of each source: it makes them in its first seconds."""
    async with asyncio.timeout(_READY_SECONDS), await aio_pika.connect(broker_url) as connection:
        for name in sources:
            while True:
                channel = await connection.channel()
                try:
                    queue = await channel.declare_queue(lane_queue(Lane(source=name)), passive=True)
                    if queue.declaration_result.consumer_count:
                        break
                except aio_pika.exceptions.ChannelNotFoundEntity:
                    pass
                await asyncio.sleep(0.2)

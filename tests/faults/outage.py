"""The long outage: Postgres is away while every channel to the broker is lost forty times, and webhooks come in.

Lost channels stand for the hours: RabbitMQ closes a channel when something lent on it is not settled in time, and
counts what was lent as delivered once more. When Postgres is back, everything must be in effect without a person.
"""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from tests.faults.clicks import with_clicks
from tests.faults.drill import DrillOptions, DrillResult
from tests.faults.esp import Outcome, post_all
from tests.faults.topology import Topology
from tests.faults.verdict import Verdict, judge, listen_to_announcements, wait_until_drained
from tests.faults.workload import make_senders, make_webhooks
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq_choice import start_rabbitmq

_DRAIN_SECONDS = 180.0
_PROCESSORS = ("processor-1", "processor-2")
_READS = '"event":"broker.connected","process":"processor","role":"reader of bouncekeeper.parcels"'
_LOSSES_AT_ONCE = 10
_GIVE_UP_SECONDS = 300.0
_PAUSE_SECONDS = 0.7  # a processor has to be connected for its channel to be lost


class Report(Struct, frozen=True, kw_only=True):
    """What happened in a drill."""

    outcome: Outcome
    verdict: Verdict
    losses: dict[str, int]  # channels that each processor has lost
    away_seconds: float
    recovery_seconds: float  # from Postgres being back to everything being in effect
    exit_statuses: dict[str, int | None]


async def drill(options: DrillOptions) -> DrillResult:
    """Forty lost channels and 4,000 webhooks; 22 and 300 in the size of the test suite."""
    report = await run_outage(options)
    return DrillResult(lines=lines_of(report), broken=report.verdict.broken)


async def run_outage(options: DrillOptions) -> Report:
    """From an empty folder to the verdict."""
    webhooks, losses = options.webhooks or options.size(4_000, 300), options.size(40, 22)
    with tempfile.TemporaryDirectory(prefix="bouncekeeper-drill-") as name:
        folder = Path(name)
        async with (
            await EmbeddedPostgres.start(folder / "postgres") as postgres,
            await start_rabbitmq(folder / "rabbitmq", own=True) as rabbitmq,
        ):
            senders = make_senders()
            load = with_clicks(
                make_webhooks(senders, webhooks, now=datetime.now(UTC), seed=options.seed), seed=options.seed
            )
            await listen_to_announcements(rabbitmq.url)
            topology = Topology(folder, postgres.dsn, rabbitmq.url)
            try:
                await topology.start([source for _, source in senders.values()])
                await topology.all_started()
                await postgres.stop()
                away_since = time.monotonic()
                with options.progress() as progress:
                    bar = progress.add_task("posting", total=len(load))
                    posting = asyncio.create_task(
                        post_all(
                            load,
                            topology.receiver_ports,
                            seed=options.seed,
                            posting_seconds=options.seconds or options.size(40, 15),
                            advance=lambda: progress.advance(bar),
                        )
                    )
                    before = _connections(topology)
                    give_up_at = time.monotonic() + _GIVE_UP_SECONDS
                    while min(lost := _losses(topology, before)) < losses:
                        assert time.monotonic() < give_up_at, f"{lost} channels lost instead of {losses}"
                        times = min(_LOSSES_AT_ONCE, losses - min(lost))
                        await rabbitmq.close_connections(times, pause_seconds=_PAUSE_SECONDS)
                    outcome = await posting
                back_at = time.monotonic()
                await postgres.restart()
                await wait_until_drained(postgres.dsn, rabbitmq.url, seconds=_DRAIN_SECONDS)
                recovered_at = time.monotonic()
            finally:
                exit_statuses = await topology.stop()
            await wait_until_drained(postgres.dsn, rabbitmq.url, seconds=1)
            verdict = await judge(postgres.dsn, rabbitmq.url, load, outcome.accepted)
            return Report(
                outcome=outcome,
                verdict=verdict,
                losses=dict(zip(_PROCESSORS, lost, strict=True)),
                away_seconds=back_at - away_since,
                recovery_seconds=recovered_at - back_at,
                exit_statuses=exit_statuses,
            )


def _connections(topology: Topology) -> list[int]:
    return [topology.count_in_log(name, _READS) for name in _PROCESSORS]


def _losses(topology: Topology, before: list[int]) -> list[int]:
    return [now - then for now, then in zip(_connections(topology), before, strict=True)]


def lines_of(report: Report) -> list[str]:
    """The report for a person."""
    outcome, verdict = report.outcome, report.verdict
    losses = ", ".join(f"{name} {count}" for name, count in report.losses.items())
    lines = [
        f"Postgres was away for {report.away_seconds:.0f} s. Lost channels meanwhile: {losses}.",
        f"{len(outcome.accepted)} webhooks were answered 200 meanwhile, {outcome.again} posts were repeated.",
        f"{report.recovery_seconds:.0f} s after its return all {verdict.events} events were in effect.",
        f"{verdict.contacts} contacts, {verdict.status_changes} status changes, {verdict.announcements} announced.",
    ]
    if not verdict.broken:
        lines.append("Nothing was given up, nothing waits for a person; every status equals a run in order.")
    return lines

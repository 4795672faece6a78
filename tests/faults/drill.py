"""The drill: everything is killed while webhooks come in, and afterwards every promise is checked.

`python -m tests.faults.drill` sends 20,000 webhooks; `--webhooks 600` is the size of the test suite.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.esp import Outcome, post_all
from tests.faults.topology import Topology
from tests.faults.verdict import Verdict, judge, listen_to_announcements, wait_until_drained
from tests.faults.workload import make_senders, make_webhooks
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq import start_rabbitmq

_DRAIN_SECONDS = 180.0


class Report(Struct, frozen=True, kw_only=True):
    """What happened in a drill."""

    webhooks: int
    outcome: Outcome
    verdict: Verdict
    kills: dict[str, int]
    stops: list[str]  # services that were stopped and started
    exit_statuses: dict[str, int | None]
    seconds: float


async def run_drill(*, webhooks: int, seed: int, posting_seconds: float, quiet: bool = False) -> Report:
    """One drill from an empty folder to the verdict.

    The webhooks are spread over posting_seconds; four times that is all that posting may take.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bouncekeeper-drill-") as name:
        folder = Path(name)
        async with (
            await EmbeddedPostgres.start(folder / "postgres") as postgres,
            await start_rabbitmq(folder / "rabbitmq", own=True) as rabbitmq,
        ):
            senders = make_senders()
            load = make_webhooks(senders, webhooks, now=datetime.now(UTC), seed=seed)
            await listen_to_announcements(rabbitmq.url)
            topology = Topology(folder, postgres, rabbitmq)
            try:
                await topology.start([source for _, source in senders.values()])
                progress = Progress(
                    TextColumn("{task.description}"),
                    BarColumn(),
                    MofNCompleteColumn(),
                    TimeElapsedColumn(),
                    disable=quiet or not sys.stderr.isatty(),
                )
                with progress:
                    bar = progress.add_task("posting", total=webhooks)
                    faults = asyncio.create_task(_break_things(topology, random.Random(seed), progress, bar, webhooks))
                    outcome = await post_all(
                        load,
                        topology.receiver_ports,
                        seed=seed,
                        posting_seconds=posting_seconds,
                        advance=lambda: progress.advance(bar),
                    )
                    await faults
                await wait_until_drained(postgres.dsn, rabbitmq.url, seconds=_DRAIN_SECONDS)
            finally:
                exit_statuses = await topology.stop()
            await wait_until_drained(postgres.dsn, rabbitmq.url, seconds=1)
            verdict = await judge(postgres.dsn, rabbitmq.url, load, outcome.accepted)
    return Report(
        webhooks=webhooks,
        outcome=outcome,
        verdict=verdict,
        kills=topology.kills,
        stops=topology.stops,
        exit_statuses=exit_statuses,
        seconds=time.monotonic() - started,
    )


async def _break_things(topology: Topology, chance: random.Random, progress: Progress, bar: int, webhooks: int) -> None:
    """Kills a process every now and then; at a third of the way the broker stops, at two thirds the database."""
    names = topology.names
    for name in chance.sample(names, len(names)):  # each at least once
        await _kill_and_restart(topology, name, chance)
    while not progress.tasks[bar].finished:
        share = progress.tasks[bar].completed / webhooks
        if share > 1 / 3 and "RabbitMQ" not in topology.stops:
            topology.stops.append("RabbitMQ")
            await topology.rabbitmq.stop()
            await asyncio.sleep(chance.uniform(1, 2))
            await topology.rabbitmq.restart()
        elif share > 2 / 3 and "Postgres" not in topology.stops:
            topology.stops.append("Postgres")
            await topology.postgres.stop()
            await asyncio.sleep(chance.uniform(1, 2))
            await topology.postgres.restart()
        else:
            await _kill_and_restart(topology, chance.choice(names), chance)


async def _kill_and_restart(topology: Topology, name: str, chance: random.Random) -> None:
    await asyncio.sleep(chance.uniform(0.1, 1.2))
    await topology.kill(name)
    await asyncio.sleep(chance.uniform(0.05, 0.5))
    topology.restart(name)


def told(report: Report) -> str:
    """The report for a person."""
    outcome, verdict = report.outcome, report.verdict
    kills = ", ".join(f"{name} {count}x" for name, count in sorted(report.kills.items()))
    lines = [
        f"{report.webhooks} webhooks in {report.seconds:.0f} s: {len(outcome.accepted)} answered 200.",
        f"Posted {outcome.posts} times: {outcome.again} repeated, {outcome.duplicates} sent twice on purpose.",
        f"kill -9: {kills}. Stopped and started: {', '.join(report.stops)}.",
        f"{verdict.events} events of {verdict.contacts} contacts.",
        f"{verdict.status_changes} status changes, {verdict.announcements} announced.",
    ]
    if verdict.broken:
        lines += ["BROKEN PROMISES:", *verdict.broken[:20]]
    else:
        lines.append("Every webhook answered 200 is in effect exactly once; every status equals a run in order.")
    return "\n".join(lines)


def main() -> int:
    """The command line; 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.drill", description=__doc__)
    parser.add_argument("--webhooks", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--seconds", type=float, default=120.0, help="how long posting is spread over")
    arguments = parser.parse_args()
    print(f"drill with seed {arguments.seed}", flush=True)
    report = asyncio.run(run_drill(webhooks=arguments.webhooks, seed=arguments.seed, posting_seconds=arguments.seconds))
    print(told(report))
    return 1 if report.verdict.broken else 0


if __name__ == "__main__":
    sys.exit(main())

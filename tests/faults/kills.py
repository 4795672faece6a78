"""The kills: everything is killed while webhooks and decisions come in; afterwards every promise is checked."""

import asyncio
import random
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from msgspec import Struct
from rich.progress import Progress, TaskID

from tests.faults.clicks import with_clicks
from tests.faults.deciders import Deciders, DecisionOutcome
from tests.faults.decision_workload import make_decisions
from tests.faults.drill import DrillOptions, DrillResult
from tests.faults.esp import Outcome, post_all
from tests.faults.topology import CONFIGURED_TOKEN, Topology
from tests.faults.verdict import Verdict, judge, listen_to_announcements, wait_until_drained
from tests.faults.workload import make_senders, make_webhooks
from tests.waiting import pause
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq import RabbitMQ
from worker.local_services.rabbitmq_choice import start_rabbitmq

_DRAIN_SECONDS = 180.0
_WEBHOOKS_PER_DECISION = 9  # a tenth of what is sent are decisions


class Report(Struct, frozen=True, kw_only=True):
    """What happened in a drill."""

    webhooks: int
    decisions: int
    outcome: Outcome
    decided: DecisionOutcome
    verdict: Verdict
    kills: dict[str, int]
    stops: list[str]  # services that were stopped and started
    exit_statuses: dict[str, int | None]
    seconds: float


async def drill(options: DrillOptions) -> DrillResult:
    """20,000 webhooks within two minutes, 1,500 within 20 s in the size of the test suite; beside them decisions."""
    report = await run_kills(options)
    return DrillResult(lines=lines_of(report), broken=report.verdict.broken)


async def run_kills(options: DrillOptions) -> Report:
    """From an empty folder to the verdict. Posting may take four times as long as it is spread over."""
    webhooks, seed = options.webhooks or options.size(20_000, 1_500), options.seed
    posting_seconds = options.seconds or options.size(120, 20)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bouncekeeper-drill-") as name:
        folder = Path(name)
        async with (
            await EmbeddedPostgres.start(folder / "postgres") as postgres,
            await start_rabbitmq(folder / "rabbitmq", own=True) as rabbitmq,
        ):
            senders = make_senders()
            load = with_clicks(make_webhooks(senders, webhooks, now=datetime.now(UTC), seed=seed), seed=seed)
            calls = make_decisions(load, webhooks // _WEBHOOKS_PER_DECISION, now=datetime.now(UTC), seed=seed)
            await listen_to_announcements(rabbitmq.url)
            topology = Topology(folder, postgres.dsn, rabbitmq.url, apis=2)
            try:
                await topology.start([source for _, source in senders.values()])
                tokens = [CONFIGURED_TOKEN, await topology.make_token()]
                deciders = Deciders(topology, calls, tokens=tokens, seed=seed)
                with options.progress() as progress:
                    bar = progress.add_task("posting", total=len(load) + len(calls))
                    advance = partial(progress.advance, bar)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(
                            _break_things(
                                topology,
                                postgres=postgres,
                                rabbitmq=rabbitmq,
                                chance=random.Random(seed),
                                progress=progress,
                                bar=bar,
                            )
                        )
                        group.create_task(deciders.decide_all(seconds=posting_seconds, advance=advance))
                        outcome = await post_all(
                            load, topology.receiver_ports, seed=seed, posting_seconds=posting_seconds, advance=advance
                        )
                await wait_until_drained(postgres.dsn, rabbitmq.url, seconds=_DRAIN_SECONDS, quiet_seconds=3)
                await deciders.repeat_some()
                await wait_until_drained(postgres.dsn, rabbitmq.url, seconds=_DRAIN_SECONDS, quiet_seconds=3)
            finally:
                exit_statuses = await topology.stop()
            await wait_until_drained(postgres.dsn, rabbitmq.url, seconds=1)
            verdict = await judge(
                postgres.dsn, rabbitmq.url, load, outcome.accepted, calls=calls, decided=deciders.outcome
            )
    return Report(
        webhooks=len(load),
        decisions=len(calls),
        outcome=outcome,
        decided=deciders.outcome,
        verdict=verdict,
        kills=topology.kills,
        stops=topology.stops,
        exit_statuses=exit_statuses,
        seconds=time.monotonic() - started,
    )


async def _break_things(
    topology: Topology,
    *,
    postgres: EmbeddedPostgres,
    rabbitmq: RabbitMQ,
    chance: random.Random,
    progress: Progress,
    bar: TaskID,
) -> None:
    """Kills a process every now and then; at a third of the way the broker stops, at two thirds the database."""
    names = topology.names
    for name in chance.sample(names, len(names)):  # each at least once
        await _kill_and_restart(topology, name, chance)
    # On a slow machine all may be posted before the second server's time has come: it stops all the same.
    while not progress.tasks[bar].finished or len(topology.stops) < 2:
        share = progress.tasks[bar].percentage / 100
        if share > 1 / 3 and "RabbitMQ" not in topology.stops:
            topology.stops.append("RabbitMQ")
            await rabbitmq.stop()
            await pause(chance.uniform(1, 2), "so long it is away")
            await rabbitmq.restart()
        elif share > 2 / 3 and "Postgres" not in topology.stops:
            topology.stops.append("Postgres")
            await postgres.stop()
            await pause(chance.uniform(1, 2), "so long it is away")
            await postgres.restart()
        else:
            await _kill_and_restart(topology, chance.choice(names), chance)


async def _kill_and_restart(topology: Topology, name: str, chance: random.Random) -> None:
    await pause(chance.uniform(0.1, 1.2), "chance chooses the moment")
    await topology.kill(name)
    await pause(chance.uniform(0.05, 0.5), "a supervisor is not quicker")
    topology.restart(name)


def lines_of(report: Report) -> list[str]:
    """The report for a person."""
    outcome, verdict, decided = report.outcome, report.verdict, report.decided
    kills = ", ".join(f"{name} {count}x" for name, count in sorted(report.kills.items()))
    lines = [
        f"{report.webhooks} webhooks in {report.seconds:.0f} s: {len(outcome.accepted)} answered 200.",
        f"Posted {outcome.posts} times: {outcome.again} repeated, {outcome.duplicates} sent twice on purpose.",
        f"{report.decisions} calls for decisions: {len(decided.answers)} answered 2xx.",
        f"Sent {decided.sent} times: {decided.again} repeated without an answer, {decided.repeats} in spite of one.",
        f"Callers cut off {decided.cut_off} requests; {decided.killed_commands} commands were killed.",
        f"kill -9: {kills}. Stopped and started: {', '.join(report.stops)}.",
        f"{verdict.events} events and {verdict.decisions} decisions of {verdict.contacts} contacts.",
        f"{verdict.clicks} one-click unsubscribes among them.",
        f"The calls are stored as {verdict.acts} acts.",
        f"{verdict.status_changes} status changes, {verdict.announcements} announced.",
    ]
    if not verdict.broken:
        lines.append(
            "Every webhook and every decision that was answered is in effect exactly once; "
            "every status equals a run in order."
        )
    return lines

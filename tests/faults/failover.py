"""The failover: the primary Postgres is killed while webhooks and decisions come in, and its replica takes over.

With a synchronous replica nothing that was answered may be lost, in RabbitMQ's topology and with the queue in Postgres.
With an asynchronous one, whose network is cut shortly before, something is: it is counted, then brought back as a user
would, and everything must be in effect once.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from msgspec import Struct

from tests.faults.clicks import with_clicks
from tests.faults.deciders import Deciders, DecisionOutcome
from tests.faults.decision_workload import make_decisions
from tests.faults.drill import DrillOptions, DrillResult
from tests.faults.esp import Outcome, post_all
from tests.faults.loss import Loss, count_loss
from tests.faults.topology import CONFIGURED_TOKEN, Topology
from tests.faults.verdict import Verdict, judge, listen_to_announcements, wait_until_drained
from tests.faults.workload import Webhook, make_senders, make_webhooks
from tests.standby import Standby, answers, ask, kill_server
from tests.waiting import pause, until
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq_choice import start_rabbitmq

_DRAIN_SECONDS = 120.0
_WEBHOOKS_PER_DECISION = 9
_KILL_AT = 1 / 3  # of the posting
_UNNOTICED_SECONDS = 2.0  # until whoever watches the primary decides that it is gone
_CUT_SECONDS = 2.0
_AGAIN_SECONDS = 10.0
_STORED = "SELECT count(*) FROM log"


class Case(Struct, frozen=True, kw_only=True):
    """One way to run Postgres and the queue."""

    title: str
    synchronous: bool
    has_rabbitmq: bool
    is_cut_off: bool  # the replica, for the last seconds of the primary
    webhooks: int
    seconds: float


class Report(Struct, frozen=True, kw_only=True):
    """What happened in one case."""

    case: Case
    webhooks: int
    decisions: int
    outcome: Outcome
    decided: DecisionOutcome
    loss: Loss
    answered_again: int  # calls, after what was lost was sent again
    verdict: Verdict
    webhook_gap_seconds: float  # the longest time without an answer 200, around the kill
    decision_gap_seconds: float
    effect_gap_seconds: float  # from the kill to the first event that the new primary stored
    unnoticed_seconds: float
    restarted: list[str]
    exit_statuses: dict[str, int | None]
    doctor: str


def cases(options: DrillOptions) -> list[Case]:
    """Each takes about a minute; in the size of the test suite, one of a few seconds."""
    if options.quick:
        quick = Case(
            title="synchronous replica, queue in Postgres",
            synchronous=True,
            has_rabbitmq=False,
            is_cut_off=False,
            webhooks=300,
            seconds=4,
        )
        return [quick]
    webhooks, seconds = options.webhooks or 4_000, options.seconds or 40
    return [
        Case(
            title="synchronous replica, RabbitMQ",
            synchronous=True,
            has_rabbitmq=True,
            is_cut_off=False,
            webhooks=webhooks,
            seconds=seconds,
        ),
        Case(
            title="synchronous replica that is cut off before, queue in Postgres",
            synchronous=True,
            has_rabbitmq=False,
            is_cut_off=True,
            webhooks=webhooks // 2,
            seconds=seconds / 2,
        ),
        Case(
            title="asynchronous replica that is cut off before, RabbitMQ",
            synchronous=False,
            has_rabbitmq=True,
            is_cut_off=True,
            webhooks=webhooks // 2,
            seconds=seconds / 2,
        ),
    ]


async def drill(options: DrillOptions) -> DrillResult:
    """All cases, one after the other."""
    lines, broken = [], []
    for case in cases(options):
        report = await run_failover(case, options)
        lines += lines_of(report)
        broken += [f"{case.title}: {promise}" for promise in broken_in(report)]
    return DrillResult(lines=lines, broken=broken)


async def run_failover(case: Case, options: DrillOptions) -> Report:
    """From an empty folder to the verdict."""
    seed = options.seed
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bouncekeeper-drill-")))
        primary = await stack.enter_async_context(await EmbeddedPostgres.start(folder / "primary"))
        rabbitmq = None
        if case.has_rabbitmq:
            rabbitmq = await stack.enter_async_context(await start_rabbitmq(folder / "rabbitmq", own=True))
            await listen_to_announcements(rabbitmq.url)
        rabbitmq_url = None if rabbitmq is None else rabbitmq.url
        standby = Standby(folder / "standby", primary, settings={})
        await asyncio.to_thread(standby.copy_primary)
        await standby.start()
        stack.push_async_callback(standby.stop)
        await answers(standby.dsn, "SELECT pg_is_in_recovery()")
        if case.synchronous:
            await standby.make_synchronous()

        senders = make_senders()
        load = with_clicks(make_webhooks(senders, case.webhooks, now=datetime.now(UTC), seed=seed), seed=seed)
        calls = make_decisions(load, case.webhooks // _WEBHOOKS_PER_DECISION, now=datetime.now(UTC), seed=seed)
        topology = Topology(folder, standby.both_dsn, rabbitmq_url, apis=2)
        try:
            await topology.start([source for _, source in senders.values()])
            await topology.all_started()
            begun = topology.running
            tokens = [CONFIGURED_TOKEN, await topology.make_token()]
            deciders = Deciders(topology, calls, tokens=tokens, seed=seed)
            with options.progress() as progress:
                bar = progress.add_task(case.title, total=len(load) + len(calls))
                advance = partial(progress.advance, bar)
                post = partial(post_all, ports=topology.receiver_ports, seed=seed)
                async with asyncio.TaskGroup() as group:
                    failing = group.create_task(_fail_over(case, primary, standby))
                    group.create_task(deciders.decide_all(seconds=case.seconds, advance=advance))
                    posting = group.create_task(post(load, posting_seconds=case.seconds, advance=advance))
            killed_at, in_effect_at = failing.result()
            outcome, decided = posting.result(), deciders.outcome
            await wait_until_drained(standby.dsn, rabbitmq_url, seconds=_DRAIN_SECONDS, quiet_seconds=3)
            loss = await count_loss(standby.dsn, load, outcome.accepted, calls, decided.answers)
            if loss and not case.synchronous:
                deciders = await _send_again(load, loss, deciders, post, topology)
                await wait_until_drained(standby.dsn, rabbitmq_url, seconds=_DRAIN_SECONDS, quiet_seconds=3)
            await deciders.repeat_some()
            await wait_until_drained(standby.dsn, rabbitmq_url, seconds=_DRAIN_SECONDS, quiet_seconds=3)
            ended = topology.running
            doctor = await _doctor(topology)
        finally:
            exit_statuses = await topology.stop()
        await wait_until_drained(standby.dsn, rabbitmq_url, seconds=1)
        verdict = await judge(
            standby.dsn,
            rabbitmq_url,
            load,
            outcome.accepted if case.synchronous else outcome.accepted - loss.clicks,
            calls=calls,
            decided=deciders.outcome,
            may_take_back=not case.synchronous,
        )
    return Report(
        case=case,
        webhooks=len(load),
        decisions=len(calls),
        outcome=outcome,
        decided=decided,
        loss=loss,
        answered_again=0 if deciders.outcome is decided else len(deciders.outcome.answers),
        verdict=verdict,
        webhook_gap_seconds=_gap(outcome.answered_at, killed_at),
        decision_gap_seconds=_gap(decided.answered_at, killed_at),
        effect_gap_seconds=in_effect_at - killed_at,
        unnoticed_seconds=_UNNOTICED_SECONDS,
        restarted=sorted(name for name in begun if begun[name] != ended.get(name)),
        exit_statuses=exit_statuses,
        doctor=doctor,
    )


async def _fail_over(case: Case, primary: EmbeddedPostgres, standby: Standby) -> tuple[float, float]:
    """Kills the primary and promotes the replica. Gives when it was killed, and when the first event was stored."""
    await pause(case.seconds * _KILL_AT, "both servers are to have seen something")
    if case.is_cut_off:
        await standby.lose_the_primary()
        await pause(_CUT_SECONDS, "so long the primary goes on alone, or waits")
    await kill_server(primary.pid)
    killed_at = time.monotonic()
    await pause(_UNNOTICED_SECONDS, "nobody notices sooner")
    stored = await ask(standby.dsn, _STORED)
    await standby.promote()

    async def has_stored_more() -> bool:
        return await ask(standby.dsn, _STORED) != stored

    await until(has_stored_more, "an event to be stored by the new primary", seconds=_DRAIN_SECONDS, every_seconds=0.1)
    return killed_at, time.monotonic()


async def _send_again(
    load: Sequence[Webhook], loss: Loss, deciders: Deciders, post: partial, topology: Topology
) -> Deciders:
    """What a user can do: the ESPs send their webhooks of that time again, applications their decisions."""
    resent = [webhook for webhook in load if webhook.click is None]
    await post(resent, posting_seconds=_AGAIN_SECONDS, advance=lambda: None)
    again = deciders.anew()
    await again.decide_all(seconds=_AGAIN_SECONDS, advance=lambda: None)
    return again


async def _doctor(topology: Topology) -> str:
    """What it says of Postgres."""
    process = await topology.run("doctor")
    output, _ = await process.communicate()
    return next((line.strip() for line in output.decode().splitlines() if " postgres: " in line), "nothing")


def _gap(moments: Sequence[float], killed_at: float) -> float:
    """The longest time between two answers, of which the later came after the kill."""
    ordered = sorted(moments)
    pairs = [(before, after) for before, after in zip(ordered, ordered[1:], strict=False) if after > killed_at]
    return max((after - before for before, after in pairs), default=0.0)


def broken_in(report: Report) -> list[str]:
    """Each promise that did not hold."""
    broken = list(report.verdict.broken)
    if report.restarted:
        broken.append(f"{', '.join(report.restarted)} did not live through it")
    if any(report.exit_statuses.values()):
        broken.append(f"exit statuses: {report.exit_statuses}")
    if report.case.synchronous and report.loss:
        broken.append("something that was answered is lost")
    if not report.case.synchronous and not report.loss:
        broken.append("nothing was lost though the replica was cut off: this has tried nothing")
    if len(report.outcome.accepted) < report.webhooks or len(report.decided.answers) < report.decisions:
        broken.append("some were never answered 2xx, though the new primary runs")
    return broken


def lines_of(report: Report) -> list[str]:
    """The ledger for a person."""
    outcome, decided, verdict, loss = report.outcome, report.decided, report.verdict, report.loss
    lines = [
        f"{report.case.title}:",
        f"  posted          {report.webhooks} webhooks ({outcome.posts} times), {report.decisions} calls for decisions"
        f" ({decided.sent} times)",
        f"  answered 2xx    {len(outcome.accepted)} webhooks, {len(decided.answers)} calls;"
        f" {outcome.unavailable} posts were answered 503",
        f"  lost            {len(loss.webhooks)} webhooks, {len(loss.clicks)} one-click unsubscribes,"
        f" {len(loss.calls)} calls",
        f"  in effect       {verdict.events} events and {verdict.decisions} decisions of {verdict.contacts} contacts,"
        " " + ("none twice" if not verdict.broken else "see below"),
        f"  without service {report.webhook_gap_seconds:.1f} s for webhooks, {report.decision_gap_seconds:.1f} s for"
        f" decisions; {report.effect_gap_seconds:.1f} s until events took effect again,",
        f"                  {report.unnoticed_seconds:.0f} s of it until the replica was promoted",
        f"  restarted       {', '.join(report.restarted) or 'nothing'}",
        f"  doctor          {report.doctor}",
    ]
    if loss and not report.case.synchronous:
        lines.insert(
            5,
            f"  sent again      all webhooks but clicks, and all calls: {report.answered_again} answered;"
            f" {verdict.taken_back} announced changes of status are in no history",
        )
    return lines

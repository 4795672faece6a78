"""The failover: the primary Postgres is killed while webhooks and decisions come in, and its replica takes over.

With a synchronous replica nothing that was answered may be lost, in RabbitMQ's topology and with the queue in Postgres.
With an asynchronous one, whose network is cut shortly before, something is: it is counted, then brought back as a user
would, and everything must be in effect once.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
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
_RECOVERED_SECONDS = 3.0  # after the promotion; what is not answered by then is asked again until it is
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
    webhooks, seconds = options.webhooks or 2_400, options.seconds or 24
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
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bouncekeeper-drill-")))
        primary = await stack.enter_async_context(await EmbeddedPostgres.start(folder / "primary"))
        rabbitmq_url = None
        if case.has_rabbitmq:
            rabbitmq = await stack.enter_async_context(await start_rabbitmq(folder / "rabbitmq", own=True))
            rabbitmq_url = rabbitmq.url
            await listen_to_announcements(rabbitmq_url)
        standby = await stack.enter_async_context(Standby(folder / "standby", primary, settings={}))
        await answers(standby.dsn, "SELECT pg_is_in_recovery()")
        if case.synchronous:
            await standby.make_synchronous()
        return await FailoverRun(case, options, folder, primary, standby, rabbitmq_url).report()


class FailoverRun:
    """One run: the load, the processes, and what was seen."""

    def __init__(  # noqa: PLR0917 - a run is all of this
        self,
        case: Case,
        options: DrillOptions,
        folder: Path,
        primary: EmbeddedPostgres,
        standby: Standby,
        rabbitmq_url: str | None,
    ) -> None:
        now, seed = datetime.now(UTC), options.seed
        self._case = case
        self._options = options
        self._senders = make_senders()
        self._load = with_clicks(make_webhooks(self._senders, case.webhooks, now=now, seed=seed), seed=seed)
        self._calls = make_decisions(self._load, case.webhooks // _WEBHOOKS_PER_DECISION, now=now, seed=seed)
        self._primary = primary
        self._standby = standby
        self._rabbitmq_url = rabbitmq_url
        self._topology = Topology(folder, standby.both_dsn, rabbitmq_url, apis=2)

    async def report(self) -> Report:
        """From an empty database to the verdict."""
        case, topology, load, calls = self._case, self._topology, self._load, self._calls
        try:
            await topology.start([source for _, source in self._senders.values()])
            await topology.all_started()
            begun = topology.running
            tokens = [CONFIGURED_TOKEN, await topology.make_token()]
            deciders = Deciders(topology, calls, tokens=tokens, seed=self._options.seed)
            outcome, (killed_at, in_effect_at) = await self._post_and_fail_over(deciders)
            decided = deciders.outcome
            await self._drain()
            loss = await count_loss(self._standby.dsn, load, outcome.accepted, calls, decided.answers)
            if loss and not case.synchronous:
                deciders = await self._send_again(deciders)
                await self._drain()
            await deciders.repeat_some()
            await self._drain()
            ended = topology.running
            doctor = await _doctor(topology)
        finally:
            exit_statuses = await topology.stop()
        await wait_until_drained(self._standby.dsn, self._rabbitmq_url, seconds=1)
        verdict = await judge(
            self._standby.dsn,
            self._rabbitmq_url,
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
            webhook_gap_seconds=gap_about(outcome.answered_at, killed_at),
            decision_gap_seconds=gap_about(decided.answered_at, killed_at),
            effect_gap_seconds=in_effect_at - killed_at,
            unnoticed_seconds=_UNNOTICED_SECONDS,
            restarted=sorted(name for name in begun if begun[name] != ended.get(name)),
            exit_statuses=exit_statuses,
            doctor=doctor,
        )

    async def _post_and_fail_over(self, deciders: Deciders) -> tuple[Outcome, tuple[float, float]]:
        case = self._case
        with self._options.progress() as progress:
            bar = progress.add_task(case.title, total=len(self._load) + len(self._calls))
            advance = partial(progress.advance, bar)
            async with asyncio.TaskGroup() as group:
                failing = group.create_task(self._fail_over())
                group.create_task(deciders.decide_all(seconds=case.seconds, advance=advance))
                posting = group.create_task(self._post(self._load, case.seconds, advance))
        return posting.result(), failing.result()

    async def _fail_over(self) -> tuple[float, float]:
        """Kills the primary, promotes the replica. Gives when it was killed, and when the first event was stored."""
        standby = self._standby
        await pause(self._case.seconds * _KILL_AT, "both servers are to have seen something")
        if self._case.is_cut_off:
            await standby.lose_the_primary()
            await pause(_CUT_SECONDS, "so long the primary goes on alone, or waits")
        await kill_server(self._primary.pid)
        killed_at = time.monotonic()
        await pause(_UNNOTICED_SECONDS, "nobody notices sooner")
        stored = await ask(standby.dsn, _STORED)
        await standby.promote()

        async def has_stored_more() -> bool:
            return await ask(standby.dsn, _STORED) != stored

        await until(has_stored_more, "the new primary to store an event", seconds=_DRAIN_SECONDS, every_seconds=0.1)
        return killed_at, time.monotonic()

    async def _send_again(self, deciders: Deciders) -> Deciders:
        """What a user can do: the ESPs send all webhooks again, nobody clicks again, applications decide again."""
        await self._post([one for one in self._load if one.click is None], _AGAIN_SECONDS, _nobody_watches)
        again = deciders.anew()
        await again.decide_all(seconds=_AGAIN_SECONDS, advance=_nobody_watches)
        return again

    async def _post(self, load: Sequence[Webhook], seconds: float, advance: Callable[[], None]) -> Outcome:
        ports, seed = self._topology.receiver_ports, self._options.seed
        return await post_all(load, ports, seed=seed, posting_seconds=seconds, advance=advance)

    async def _drain(self) -> None:
        await wait_until_drained(self._standby.dsn, self._rabbitmq_url, seconds=_DRAIN_SECONDS, quiet_seconds=3)


def _nobody_watches() -> None:
    """How far it is, nobody asks."""


async def _doctor(topology: Topology) -> str:
    """What it says of Postgres."""
    process = await topology.run("doctor")
    output, _ = await process.communicate()
    return next((line.strip() for line in output.decode().splitlines() if " postgres: " in line), "nothing")


def gap_about(moments: Sequence[float], killed_at: float) -> float:
    """The longest time between two answers, of those that began about the kill: in the end all are answered."""
    gaps = [
        after - before
        for before, after in pairwise(sorted(moments))
        if after > killed_at and before < killed_at + _UNNOTICED_SECONDS + _RECOVERED_SECONDS
    ]
    return max(gaps, default=0.0)


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
    posted = f"{report.webhooks} webhooks ({outcome.posts} times), {report.decisions} calls for decisions"
    accepted = f"{len(outcome.accepted)} webhooks, {len(decided.answers)} calls; {outcome.unavailable} posts 503"
    lost = f"{len(loss.webhooks)} webhooks, {len(loss.clicks)} one-click unsubscribes, {len(loss.calls)} calls"
    effect = f"{verdict.events} events and {verdict.decisions} decisions of {verdict.contacts} contacts"
    gaps = f"{report.webhook_gap_seconds:.1f} s for webhooks, {report.decision_gap_seconds:.1f} s for decisions"
    again = f"all webhooks but clicks, and all calls: {report.answered_again} answered"
    return [
        f"{report.case.title}:",
        f"  posted          {posted} ({decided.sent} times)",
        f"  answered 2xx    {accepted}",
        f"  lost            {lost}",
        *([f"  sent again      {again}"] if report.answered_again else []),
        f"  in effect       {effect}, {'see below' if verdict.broken else 'none twice'}",
        f"  taken back      {verdict.taken_back} announced changes of status, which are in no history",
        f"  without service {gaps}, {report.effect_gap_seconds:.1f} s for effects;",
        f"                  promoted after {report.unnoticed_seconds:.0f} s",
        f"  restarted       {', '.join(report.restarted) or 'nothing'}",
        f"  doctor          {report.doctor}",
    ]

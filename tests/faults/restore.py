"""The restore to a moment: a person blocks everybody by mistake, and the database goes back to just before it.

Receivers and RabbitMQ run all the while. The restored database must answer as the old one did at that moment. What came
later is brought back from where it still is, and must then be in effect once.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from itertools import zip_longest
from pathlib import Path

from msgspec import Struct

from schemas.decision_request import RequestedKind
from tests.faults.clicks import LIST, with_clicks
from tests.faults.deciders import Answer, Deciders
from tests.faults.decision_workload import DecisionCall, Way, make_decisions
from tests.faults.drill import DrillOptions, DrillResult
from tests.faults.esp import post_all
from tests.faults.feed_reader import FeedReader
from tests.faults.loss import Loss, count_loss
from tests.faults.topology import CONFIGURED_TOKEN, Topology
from tests.faults.verdict import Verdict, judge, listen_to_announcements, wait_until_drained
from tests.faults.workload import Webhook, make_senders, make_webhooks
from tests.point_in_time import Archive, RestoredServer, back_up
from tests.standby import ask
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.local_services.rabbitmq_choice import start_rabbitmq

_DRAIN_SECONDS = 120.0
_WEBHOOKS_PER_DECISION = 9
_POINT = "before_the_mistake"
_ADDRESSES = "SELECT string_agg(address, E'\n' ORDER BY address) FROM contacts"
_JUMP = "UPDATE status_feed SET last_position = last_position + 1000000000"
_CLICKED_SINCE = """
    SELECT string_agg(DISTINCT c.address, E'\n') FROM log e JOIN contacts c ON c.id = e.contact_id
     WHERE e.provider = 'unsubscribe_page' AND e.received_at > '{moment}'
"""
_BLOCKED = "SELECT count(*) FROM entries e JOIN acts a ON a.id = e.act_id WHERE a.idempotency_key = 'the-mistake'"


class Report(Struct, frozen=True, kw_only=True):
    """What happened."""

    webhooks: Sequence[int]  # before the moment, after it, and while the database was away
    decisions: Sequence[int]  # before and after
    addresses: int  # that were asked about
    mistaken: int  # contacts that the mistake blocked
    differing_by_time: int  # answers of the database restored to the time that are not those of the moment
    differing_by_name: int  # the same of the one restored to the named point, which is then used
    loss: Loss  # of what was answered after the moment, as it was right after the restore
    unsubscribed_again: int
    reader_before: HTTPStatus  # for a reader of the feed who had read up to the moment
    reader_after: HTTPStatus  # for one who had read the mistake
    repeated_positions: int  # of the restored feed, that the old one had given too
    restore_seconds: float
    away_seconds: float  # without decisions and effect
    verdict: Verdict
    exit_statuses: dict[str, int | None]


async def drill(options: DrillOptions) -> DrillResult:
    """2,400 webhooks; 300 with --quick."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bouncekeeper-drill-")))
        archive = Archive(folder / "archive")
        old = await stack.enter_async_context(await EmbeddedPostgres.start(folder / "old", settings=archive.settings))
        rabbitmq = await stack.enter_async_context(await start_rabbitmq(folder / "rabbitmq", own=True))
        await listen_to_announcements(rabbitmq.url)
        restored = RestoredServer(folder / "restored", port=old.port, dsn=old.dsn)
        stack.push_async_callback(restored.stop)
        run = RestoreRun(options, folder, archive=archive, old=old, restored=restored, rabbitmq_url=rabbitmq.url)
        report = await run.report()
    return DrillResult(lines=lines_of(report), broken=broken_in(report))


class RestoreRun:
    """One run: the load, the processes, and what was seen."""

    def __init__(
        self,
        options: DrillOptions,
        folder: Path,
        *,
        archive: Archive,
        old: EmbeddedPostgres,
        restored: RestoredServer,
        rabbitmq_url: str,
    ) -> None:
        webhooks = options.webhooks or options.size(2_400, 300)
        now = datetime.now(UTC)
        self._seed = options.seed
        self._seconds = options.seconds or options.size(10, 2)
        self._senders = make_senders()
        self._load = with_clicks(make_webhooks(self._senders, webhooks, now=now, seed=self._seed), seed=self._seed)
        self._calls = make_decisions(self._load, webhooks // _WEBHOOKS_PER_DECISION, now=now, seed=self._seed)
        self._later = len(self._calls) // 2  # from this number on they are made after the moment
        self._folder = folder
        self._archive = archive
        self._old = old
        self._restored = restored
        self._rabbitmq_url = rabbitmq_url
        self._topology = Topology(folder, old.dsn, rabbitmq_url, apis=1)
        self._posted = Posted(self._topology, self._load, seed=self._seed, seconds=self._seconds)

    async def report(self) -> Report:
        """From an empty database to the verdict."""
        topology, posted = self._topology, self._posted
        try:
            await topology.start([source for _, source in self._senders.values()])
            await topology.all_started()
            await asyncio.to_thread(back_up, self._old, self._folder / "backup")
            await self._work(0, self._calls[: self._later])
            # The moment: what is so now must be so again.
            addresses = str(await ask(self._old.dsn, _ADDRESSES)).split("\n")
            before, at_moment = FeedReader(topology), await self._check(addresses)
            await before.read_all()
            moment = str(await ask(self._old.dsn, "SELECT clock_timestamp()::text"))
            await ask(self._old.dsn, f"SELECT pg_create_restore_point('{_POINT}')")

            answers = await self._work(1, self._calls[self._later :])
            mistaken = await self._make_the_mistake(addresses)
            after = FeedReader(topology)
            await after.read_all()
            clicked = str(await ask(self._old.dsn, _CLICKED_SINCE.format(moment=moment)) or "").split("\n")

            await self._archive.has_all_of(self._old)
            for name in (*topology.names_of("processor"), *topology.names_of("api")):
                await topology.end(name)
            away_since = time.monotonic()
            await self._old.stop()
            coming_in = asyncio.create_task(posted.post(2))  # the receivers run, and RabbitMQ keeps this
            begun = time.monotonic()
            await self._restored.restore(self._folder / "backup", self._archive, target="name", value=_POINT)
            restore_seconds = time.monotonic() - begun
            await ask(self._restored.dsn, _JUMP)
            differing_by_name = _differences(at_moment, await self._check(addresses))
            for name in (*topology.names_of("processor"), *topology.names_of("api")):
                topology.restart(name)
            await topology.all_started()
            away_seconds = time.monotonic() - away_since
            await coming_in
            await self._drain()
            known = await before.read_all()
            given = after.position
            await after.read_all()

            loss = await count_loss(self._restored.dsn, self._load, posted.accepted, self._calls, answers)
            again, unsubscribing = await self._bring_back(clicked)
            differing_by_time = _differences(at_moment, await self._check_at(moment, addresses))
        finally:
            exit_statuses = await topology.stop()
        await wait_until_drained(self._restored.dsn, self._rabbitmq_url, seconds=1)
        verdict = await judge(
            self._restored.dsn,
            self._rabbitmq_url,
            self._load,
            posted.accepted - loss.clicks,
            calls=[*self._calls, unsubscribing],
            decided=again.outcome,
            may_take_back=True,
        )
        return Report(
            webhooks=posted.sizes,
            decisions=(self._later, len(self._calls) - self._later),
            addresses=len(addresses),
            mistaken=mistaken,
            differing_by_time=differing_by_time,
            differing_by_name=differing_by_name,
            loss=loss,
            unsubscribed_again=len(unsubscribing.addresses),
            reader_before=before.status,
            reader_after=after.status,
            repeated_positions=sum(position <= given for position in known),
            restore_seconds=restore_seconds,
            away_seconds=away_seconds,
            verdict=verdict,
            exit_statuses=exit_statuses,
        )

    async def _work(self, part: int, calls: Sequence[DecisionCall]) -> dict[int, list[Answer]]:
        """Posts a part and makes decisions until all is in effect; gives the answers by the number of all calls."""
        deciders = self._deciders(calls)
        await asyncio.gather(
            self._posted.post(part), deciders.decide_all(seconds=self._seconds, advance=_nobody_watches)
        )
        await self._drain()
        first = self._calls.index(calls[0])
        return {first + number: said for number, said in deciders.outcome.answers.items()}

    async def _make_the_mistake(self, addresses: Sequence[str]) -> int:
        words = ("block", "--file", "-", "--reason", "the wrong list", "--idempotency-key", "the-mistake")
        await self._run(*words, stdin="\n".join(addresses))
        await self._drain()
        return int(str(await ask(self._old.dsn, _BLOCKED)))

    async def _bring_back(self, clicked: Sequence[str]) -> tuple[Deciders, DecisionCall]:
        """ESPs send again, applications decide again; clicks come from the old database."""
        await self._posted.post_again(1)
        again = self._deciders(self._calls)
        await again.decide_all(seconds=self._seconds, advance=_nobody_watches)
        unsubscribing = DecisionCall(
            way=Way.COMMAND,
            key="clicks-of-the-old-database",
            kind=RequestedKind.UNSUBSCRIBED,
            terms={},
            addresses=tuple(clicked),
        )
        words = ("unsubscribe", "--file", "-", "--scope", LIST, "--by-contact", "--way", "mail_client")
        what = ("--reason", "clicked before the restore", "--idempotency-key", unsubscribing.key)
        await self._run(*words, *what, stdin="\n".join(clicked))
        await self._drain()
        return again, unsubscribing

    async def _check_at(self, moment: str, addresses: Sequence[str]) -> Sequence[bytes]:
        """What a trial restore to the time answers, beside the server that is used."""
        port = free_port()
        dsn = self._old.dsn.replace(f":{self._old.port}/", f":{port}/")
        trial = RestoredServer(self._folder / "trial", port=port, dsn=dsn)
        try:
            await trial.restore(
                self._folder / "backup", self._archive, target="time", value=moment, archives_on=False, timeline="1"
            )
            return await self._check(addresses, postgres_url=dsn)
        finally:
            await trial.stop()

    async def _check(self, addresses: Sequence[str], *, postgres_url: str | None = None) -> Sequence[bytes]:
        words = ("check", "--file", "-", "--json")
        return (await self._run(*words, stdin="\n".join(addresses), postgres_url=postgres_url)).splitlines()

    async def _run(self, *words: str, stdin: str, postgres_url: str | None = None) -> bytes:
        """What a command prints. The exit code 1 is the answer no."""
        process = await self._topology.run(*words, postgres_url=postgres_url, has_input=True)
        output, errors = await process.communicate(stdin.encode())
        assert process.returncode in {0, 1}, errors.decode()
        return output

    def _deciders(self, calls: Sequence[DecisionCall]) -> Deciders:
        return Deciders(self._topology, calls, tokens=[CONFIGURED_TOKEN], seed=self._seed)

    async def _drain(self) -> None:
        await wait_until_drained(self._old.dsn, self._rabbitmq_url, seconds=_DRAIN_SECONDS, quiet_seconds=2)


class Posted:
    """The webhooks in three parts: before the moment, after it, and while the database is away."""

    def __init__(self, topology: Topology, load: Sequence[Webhook], *, seed: int, seconds: float) -> None:
        self.accepted: set[int] = set()  # numbers of webhooks in the whole load
        third = len(load) // 3
        self._begins = (0, third, 2 * third)
        self._parts = (load[:third], load[third : 2 * third], load[2 * third :])
        self._post = partial(
            post_all, ports=topology.receiver_ports, seed=seed, posting_seconds=seconds, advance=_nobody_watches
        )

    @property
    def sizes(self) -> Sequence[int]:
        """How many webhooks each part has."""
        return tuple(map(len, self._parts))

    async def post(self, part: int) -> None:
        """Posts one of the parts until all of it is accepted."""
        outcome = await self._post(self._parts[part])
        self.accepted |= {self._begins[part] + number for number in outcome.accepted}

    async def post_again(self, part: int) -> None:
        """As an ESP does when it is asked to send again; nobody clicks again."""
        await self._post([webhook for webhook in self._parts[part] if webhook.click is None])


def _nobody_watches() -> None:
    """How far it is, nobody asks."""


def _differences(before: Sequence[bytes], after: Sequence[bytes]) -> int:
    return sum(one != other for one, other in zip_longest(before, after))


def broken_in(report: Report) -> list[str]:
    """Each promise that did not hold."""
    broken = list(report.verdict.broken)
    for restored_to, differing in (("time", report.differing_by_time), ("name", report.differing_by_name)):
        if differing:
            broken.append(f"restored to the {restored_to}, {differing} answers are not those of the moment")
    if report.reader_before is not HTTPStatus.OK:
        broken.append(f"a reader who had read up to the moment is answered {report.reader_before}")
    if report.reader_after is not HTTPStatus.GONE:
        broken.append(f"a reader who is ahead of the restored feed is answered {report.reader_after}")
    if report.repeated_positions:
        broken.append(f"{report.repeated_positions} positions of the feed were given twice")
    if not report.mistaken or not report.loss:
        broken.append("there was nothing to take back, or nothing to bring back: this has tried nothing")
    if any(report.exit_statuses.values()):
        broken.append(f"exit statuses: {report.exit_statuses}")
    return broken


def lines_of(report: Report) -> list[str]:
    """The ledger for a person."""
    loss, verdict = report.loss, report.verdict
    before, after, without = report.webhooks
    later = f"{len(loss.webhooks)} webhooks, {len(loss.clicks)} one-click unsubscribes, {len(loss.calls)} calls"
    effect = f"{verdict.events} events and {verdict.decisions} decisions of {verdict.contacts} contacts"
    calls = f"{report.decisions[0]} calls for decisions before, {report.decisions[1]} after"
    away = f"{report.away_seconds:.1f} s without decisions and effect"
    differ = f"{report.differing_by_name} of {report.addresses} differ from those of the moment"
    return [
        f"  posted          {before} webhooks before the moment, {after} after it, {without} without the database",
        f"  answered 2xx    all of them; {calls}",
        f"  the mistake     {report.mistaken} contacts blocked",
        f"  restored        in {report.restore_seconds:.1f} s; {away}",
        f"  answers         {differ}; restored to the time, {report.differing_by_time}",
        f"  lacking         {later}",
        f"  brought back    by ESPs, by applications, and {report.unsubscribed_again} contacts of the old database",
        f"  in effect       {effect}, {'see below' if verdict.broken else 'none twice, none lost'}",
        f"  readers         up to the moment {report.reader_before}, ahead of it {report.reader_after}",
    ]

"""Whatever happens to contacts, in whatever order, every answer about them is the same one, and that of the fold."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.decision import ANNOTATIONS, Decision, Origin
from schemas.entry import LASTING_KINDS, Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks
from tests.contacts.one_answer import require_one_answer
from tests.contacts.refolds import finish, refolder
from tests.policy.test_order_of_arrival import POLICIES
from tests.properties import examples
from tests.schemas.decisions import logs, make_decision, one_decision
from tests.schemas.feedback_events import START, histories
from tests.stored_contacts import EMPTY_LOG
from worker.cli import main
from worker.commands.support.exit_code import ExitCode
from worker.contacts.applying import BatchRules, apply_decisions, apply_events
from worker.contacts.late_entries import USUAL_READING, LogReading
from worker.contacts.policies import Policies, apply_policy, configure_policy
from worker.contacts.report import contact_report
from worker.contacts.retention import drop_old_months, oldest_kept
from worker.contacts.sweep import sweep
from worker.jobs.policy_job import PolicyJob
from worker.jobs.runner import JobRunner
from worker.policy.event_order import BOUNCE_KINDS, is_inert
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.fold import fold_all
from worker.policy.rule import Policy
from worker.policy.standing import standing
from worker.process.backlog import Backlog
from worker.store.contact_lookup import find_contact
from worker.store.partitions import make_partitions, month_of, months_later
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

JANE, JOE = ADDRESSES = ("jane@example.org", "joe@example.net")
EMPTY = f"{EMPTY_LOG}; TRUNCATE policies, job_parts, jobs RESTART IDENTITY"
AN_ACT = (
    "INSERT INTO acts (id, actor, role, what, at) OVERRIDING SYSTEM VALUE VALUES (1, 'anna', 'operator', 'import', $1)"
)
KEPT_MONTHS = 3
# So that short logs are long, and nearly nothing of them is read at once.
TINY = LogReading(long=4, slice_entries=3, most_entries=3, whole_entries=4)


def imported(entry: Entry) -> Entry:
    """What an import brings keeps its time: so decisions come in as late as events do."""
    return replace(entry, origin=Origin.IMPORT) if isinstance(entry, Decision) else entry


class Life:
    """Two contacts, and all that may happen to them and around them, in an order that Hypothesis chooses."""

    def __init__(self, pool: WriterPool, data: st.DataObject, reading: LogReading) -> None:
        self.taken: dict[bytes, Entry] = {}
        self._pool, self._draw, self._reading = pool, data.draw, reading
        log = [*map(imported, self._draw(logs(histories((JANE,))))), *self._draw(histories((JOE,), max_size=8))]
        repeats = self._draw(st.lists(st.sampled_from(log), max_size=6)) if log else []
        self.left: list[Entry] = list(self._draw(st.permutations([*log, *repeats])))
        self.active = self.configured = self._draw(st.sampled_from(POLICIES))
        self.now = START + timedelta(days=self._draw(st.integers(200, 320)))
        self._oldest_kept = START - timedelta(days=400)
        # Each hears of a new policy when it does.
        self._processors = [Policies(self.configured), Policies(self.configured)]

    async def begin(self) -> None:
        await self._pool.execute(EMPTY)
        await self._pool.execute(AN_ACT, self.now)
        await self._pool.execute("ALTER TABLE acts ALTER COLUMN id RESTART WITH 2")
        async with self._pool.acquire() as connection:  # an earlier example has dropped some
            await make_partitions(connection, [months_later(month_of(START), count) for count in range(-1, 14)])
        await configure_policy(self._pool, self.configured, now=self.now)

    async def batch(self) -> None:
        size = self._draw(st.integers(1, 6))
        some, self.left = self.left[:size], self.left[size:]
        await self._take(some)

    async def decide(self) -> None:
        """A person decides now; what would change nothing is not stored."""
        address = self._draw(st.sampled_from(ADDRESSES))
        drawn = self._draw(one_decision())
        asked = make_decision(
            drawn.kind,
            address=address,
            key=f"{drawn.event_key.hex()}-{len(self.taken)}-{address}",
            **{
                name: getattr(drawn, name)
                for name in ("role", "by_contact", "note", "permission", "strength", "scope", "until", "blocks")
            },
        )
        async with writing(self._pool) as connection:
            applied = await apply_decisions(connection, [asked], rules=self._rules(), now=self.now)
        (result,) = applied.results
        if result.is_stored:
            self.taken[asked.event_key] = result.decision
        if result.contact_id is not None:
            told = await require_one_answer(self._pool, address, self.configured, now=self.now)
            assert told == standing(result.facts, result.policy, self.now).status

    async def wait(self) -> None:
        self.configured = self._draw(st.sampled_from(POLICIES))
        await configure_policy(self._pool, self.configured, now=self.now)

    async def apply(self) -> None:
        self.active = self._draw(st.sampled_from(POLICIES))
        await apply_policy(self._pool, self.active, now=self.now, by="jane")

    async def sweep(self) -> None:
        policies = self._draw(st.sampled_from(self._processors))
        await sweep(self._pool, policies, now=self.now, reading=self._reading)

    async def refold(self) -> None:
        """A step in the background."""
        policies = self._draw(st.sampled_from(self._processors))
        await refolder(self._pool, slice_entries=3, policies=policies, now=self.now).take_step()

    async def pass_time(self) -> None:
        self.now += timedelta(days=self._draw(st.integers(1, 40)))
        await self.sweep()

    async def work(self) -> None:
        kind = PolicyJob(
            Policies(self.configured), known_everywhere_seconds=0, reading=self._reading, clock=lambda: self.now
        )
        runner = JobRunner(self._pool, {kind.name: kind}, backlog=Backlog(), clock=lambda: self.now)
        await runner.work_off(asyncio.Event())

    async def keep_house(self) -> None:
        """Old months leave; what has no say any more once they are gone comes in before."""
        horizon = oldest_kept(self.now, KEPT_MONTHS)
        early = [entry for entry in self.left if self._is_too_late_after_that(entry)]
        self.left = [entry for entry in self.left if entry not in early]
        await self._take(early)
        await drop_old_months(self._pool, now=self.now, retention_months=KEPT_MONTHS)
        self._oldest_kept = max(self._oldest_kept, horizon)

    async def require_one_answer(self) -> None:
        for address in ADDRESSES:
            await require_one_answer(self._pool, address, self.configured, now=self.now)

    async def require_the_fold(self, policy: Policy) -> None:
        """All that is known of each contact follows from the log alone."""
        for address in ADDRESSES:
            mine = [entry for entry in self.taken.values() if entry.address == address]
            row = await find_contact(self._pool, address, account="default", channel="email")
            expected = fold_all(Facts(), mine, policy)
            if row is None:
                assert not mine
                continue
            assert facts_from_row(row) == expected
            status = await require_one_answer(self._pool, address, self.configured, now=self.now)
            assert status == standing(expected, policy, self.now).status

    def _is_too_late_after_that(self, entry: Entry) -> bool:
        """A failure that the policy could still count, and a decision about an event that may be gone."""
        if isinstance(entry, Decision) and entry.kind in ANNOTATIONS:
            named = {other.event_key: other for other in (*self.taken.values(), *self.left)}
            return any(named[key].kind not in LASTING_KINDS for key in entry.entry_keys if key in named)
        return entry.kind in BOUNCE_KINDS

    def _rules(self) -> BatchRules:
        policies = self._draw(st.sampled_from(self._processors))
        return BatchRules(policies=policies, oldest_kept=self._oldest_kept, reading=self._reading)

    async def _take(self, entries: list[Entry]) -> None:
        events = [entry for entry in entries if isinstance(entry, FeedbackEvent)]
        decisions = [entry for entry in entries if isinstance(entry, Decision)]
        async with writing(self._pool) as connection:
            applied = await apply_events(connection, events, rules=self._rules(), now=self.now)
        assert not applied.leftover
        async with writing(self._pool) as connection:
            applied = await apply_decisions(connection, decisions, rules=self._rules(), now=self.now)
        assert not applied.leftover_decisions
        for entry in entries:
            if not (is_inert(entry) and entry.occurred_at < self._oldest_kept):  # those are only counted
                self.taken.setdefault(entry.event_key, entry)


@pytest.fixture
def command(tmp_path: Path, database_dsn: str) -> Path:
    """A configuration file for commands."""
    file = tmp_path / "bouncekeeper.toml"
    file.write_text(f'[postgres]\nurl = "{database_dsn}"\n')
    file.chmod(0o600)
    return file


async def require_the_commands_answer(pool: WriterPool, configuration: Path, address: str, policy: Policy) -> None:
    """`explain` says the same as the report, as of now."""
    output = StringIO()
    with redirect_stdout(output):
        status = await asyncio.to_thread(main, ["explain", address, "--json", "--config", str(configuration)])
    told = json.loads(output.getvalue())
    report = await contact_report(pool, address, policies=Policies(policy), now=datetime.now(UTC))
    if report is None:
        assert (told["known"], status) == (False, ExitCode.NO)
        return
    assert status == (ExitCode.OK if report.blocks is Blocks.NONE else ExitCode.NO)
    assert told["contact"]["status"] == told["explanation"]["status"] == report.status
    assert told["contact"]["blocks"] == told["explanation"]["blocks"] == report.blocks
    assert told["contact"]["policy"]["id"] == told["explanation"]["policy"]["id"] == report.policy.id


@pytest.mark.parametrize(
    "reading",
    [
        pytest.param(USUAL_READING, id="folded at once"),
        pytest.param(TINY, id="folded in the background", marks=pytest.mark.slow),
    ],
)
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_every_answer_is_the_same_one_whatever_happens_and_is_that_of_the_fold(
    pool: WriterPool, command: Path, reading: LogReading, data: st.DataObject
) -> None:
    life = Life(pool, data, reading)
    await life.begin()
    steps: list[Callable[[], Awaitable[None]]] = [
        *(life.batch, life.batch, life.batch, life.decide, life.decide),
        *(life.wait, life.apply, life.sweep, life.pass_time, life.work, life.keep_house),
        *((life.refold, life.refold) if reading is TINY else ()),
    ]
    while life.left:
        await data.draw(st.sampled_from(steps))()
        await life.require_one_answer()

    await apply_policy(pool, life.active, now=life.now, by="jane", again=True)
    await life.work()
    await finish(pool, now=life.now)
    await life.require_the_fold(life.active)

    # Everything grows old, and under another policy all of it is folded again.
    other = data.draw(st.sampled_from(POLICIES))
    life.now += timedelta(days=400)
    await life.sweep()
    await life.keep_house()
    await apply_policy(pool, other, now=life.now, by="jane", again=True)
    await life.work()
    await finish(pool, now=life.now)
    await life.require_the_fold(other)
    for address in ADDRESSES:
        await require_the_commands_answer(pool, command, address, other)

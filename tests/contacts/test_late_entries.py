"""What comes late into a long log is folded from a checkpoint on, and gives what folding all of it anew gives."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.decision import Role
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.contacts.long_logs import add_calm_events
from tests.contacts.refolds import finish, waiting
from tests.contacts.test_applying import NOW, POLICY, RULES, apply, empty, facts_by_address
from tests.contacts.test_explanation import whole_story
from tests.policy.test_order_of_arrival import NERVOUS
from tests.properties import examples
from tests.schemas.decisions import void
from tests.schemas.feedback_events import START, arrivals, histories, make_event
from worker.contacts.applying import BatchRules, apply_decisions
from worker.contacts.late_entries import LogReading
from worker.contacts.policies import Policies
from worker.contacts.retention import drop_old_months
from worker.policy.checkpoint import at_a_place
from worker.policy.event_order import order_key
from worker.policy.facts import Facts
from worker.policy.facts_encoding import decode_facts
from worker.policy.fold import fold_all
from worker.policy.policy_encoding import policy_number
from worker.policy.rule import Policy
from worker.store.acts import Act, insert_act
from worker.store.pool import WriterPool
from worker.store.stored_entries import stored_entries
from worker.store.writer_pool import writing

JANE = "jane@example.org"
# So that short logs are long.
SMALL = LogReading(long=4, slice_entries=3)


def rules_of(policy: Policy, reading: LogReading = SMALL) -> BatchRules:
    return replace(RULES, policies=Policies(policy), reading=reading)


calm = st.lists(
    st.builds(
        lambda kind, hours, message: make_event(kind, day=hours / 24, message=message),
        st.sampled_from([Kind.DELIVERED, Kind.OPENED, Kind.DROPPED]),
        st.integers(0, 24 * 300),
        st.sampled_from(["a", "b", "c", None]),
    ),
    max_size=25,
)


@settings(max_examples=examples(80), suppress_health_check=list(HealthCheck))
@given(data=st.data(), events=histories((JANE,), max_size=25), calm=calm)
async def test_with_checkpoints_the_facts_are_those_of_folding_anew(
    pool: WriterPool, data: st.DataObject, events: list[FeedbackEvent], calm: list[FeedbackEvent]
) -> None:
    await empty(pool)
    log = list({event.event_key: event for event in (*events, *calm)}.values())
    arrived: list[FeedbackEvent] = []
    for batch in data.draw(arrivals(log)):
        await apply(pool, batch, rules=rules_of(POLICY))
        arrived += batch
        assert (await facts_by_address(pool)).get(JANE, Facts()) == fold_all(Facts(), arrived, POLICY)
    await every_checkpoint_is_right(pool, arrived, POLICY)
    if log:
        await pages_are_the_same_without_checkpoints(pool)


async def test_a_place_of_a_long_log_before_which_nothing_is_known_is_a_checkpoint_too(pool: WriterPool) -> None:
    nothing = [make_event(Kind.ACCEPTED, day=number, message=f"m{number}") for number in range(8)]
    await apply(pool, [*nothing, make_event(Kind.COMPLAINT, day=20, cause=Cause.ABUSE_REPORT, message=None)])
    await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=7.5, message=None)], rules=rules_of(POLICY))
    stored = await stored_entries(pool, await pool.fetchval("SELECT id FROM contacts"), whole=False)
    assert (await facts_by_address(pool))[JANE] == fold_all(Facts(), stored, POLICY)


async def pages_are_the_same_without_checkpoints(pool: WriterPool) -> None:
    """The explanation may begin at one."""
    told = await whole_story(pool, limit=2, slice_entries=3)
    await pool.execute("DELETE FROM checkpoints")
    assert await whole_story(pool, limit=2, slice_entries=3) == told


async def every_checkpoint_is_right(pool: WriterPool, log: Sequence[FeedbackEvent], policy: Policy) -> None:
    """Each says what the whole log up to its place comes to, up to the place that a re-fold under way has reached."""
    reached = await pool.fetchrow("SELECT occurred_at, rank, entry_key FROM refolds")
    for row in await pool.fetch("SELECT * FROM checkpoints WHERE policy = $1", policy_number(policy)):
        place = (row["occurred_at"], row["rank"], row["entry_key"])
        if reached is not None and (reached["occurred_at"] is None or place > tuple(reached)):
            continue
        so_far = [event for event in log if (event.occurred_at, order_key(event).rank, event.event_key) <= place]
        assert decode_facts(row["facts"]) == at_a_place(fold_all(Facts(), so_far, policy))


async def giant(pool: WriterPool, count: int, *, rules: BatchRules = RULES) -> int:
    """A contact with so many openings and deliveries, a minute apart, after a failure of long ago."""
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, message="first")], rules=rules)
    contact_id: int = await pool.fetchval("SELECT id FROM contacts")
    await add_calm_events(pool, contact_id, count, since=START, minutes_apart=1)
    last = make_event(Kind.DELIVERED, day=(count + 1) / 1440, message="last")
    await apply(pool, [last], rules=rules)
    return contact_id


async def fold_anew(pool: WriterPool, contact_id: int) -> Facts:
    return fold_all(Facts(), await stored_entries(pool, contact_id, whole=False), POLICY)


async def checkpointed_giant(pool: WriterPool) -> int:
    """A contact with thirty thousand entries, into which something came late before."""
    contact_id = await giant(pool, 30_000)
    await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=1, scope="news")])
    await finish(pool)
    return contact_id


GIANT = checkpointed_giant


async def test_the_first_late_entry_leaves_checkpoints_along_a_long_log(pool: WriterPool, giant_id: int) -> None:
    assert 55 <= await pool.fetchval("SELECT count(*) FROM checkpoints") <= 65
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


@pytest.mark.parametrize(
    "late",
    [
        make_event(Kind.SOFT_BOUNCE, day=10.0001, cause=Cause.MAILBOX_FULL, message="late"),
        make_event(Kind.SOFT_BOUNCE, day=20.8, cause=Cause.MAILBOX_FULL, message="late"),
    ],
    ids=["a failure that was cleared since", "a failure a moment before the end"],
)
async def test_a_late_entry_whose_facts_meet_a_checkpoint_is_folded_at_once(
    pool: WriterPool, giant_id: int, late: FeedbackEvent
) -> None:
    started = time.perf_counter()
    applied = await apply(pool, [late])
    assert time.perf_counter() - started < 0.5  # some 30 ms on an idle machine: 30,000 entries take a second
    assert (applied.refolded, await waiting(pool)) == (1, 0)
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def test_a_late_opt_in_is_remembered_by_all_that_follows_it(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [make_event(Kind.RESUBSCRIBE, day=12.0001, scope="other")])
    await finish(pool)
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def test_a_late_block_changes_all_checkpoints_behind_it(pool: WriterPool, giant_id: int) -> None:
    late = make_event(Kind.COMPLAINT, day=10.0001, cause=Cause.ABUSE_REPORT, message=None)
    await apply(pool, [late])
    assert await pool.fetchval("SELECT status FROM contacts") == "complained"
    await finish(pool)
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)
    later = make_event(Kind.SOFT_BOUNCE, day=15, cause=Cause.MAILBOX_FULL, message="later")
    await apply(pool, [later])
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def test_an_opening_that_is_folded_as_it_comes_takes_the_checkpoints_behind_it_away(
    pool: WriterPool, giant_id: int
) -> None:
    before = await pool.fetchval("SELECT count(*) FROM checkpoints")
    opening = make_event(Kind.CLICKED, day=19.00001, message="late")
    await apply(pool, [opening])
    assert 0 < await pool.fetchval("SELECT count(*) FROM checkpoints") < before
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, day=20, cause=Cause.MAILBOX_FULL, message="late")])
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def test_an_opening_that_is_older_than_the_last_one_takes_the_checkpoints_behind_it_away_too(
    pool: WriterPool, giant_id: int
) -> None:
    assert giant_id
    opening = make_event(Kind.OPENED, day=10.00001, message="older")
    await apply(pool, [opening])
    assert await pool.fetchval("SELECT max(occurred_at) FROM checkpoints") < opening.occurred_at


async def test_another_policy_uses_none_of_the_checkpoints(pool: WriterPool, giant_id: int) -> None:
    late = make_event(Kind.SOFT_BOUNCE, day=10.0001, cause=Cause.MAILBOX_FULL, message="late")
    await apply(pool, [late], rules=rules_of(NERVOUS, LogReading(most_entries=50_000)))
    policies = {row["policy"] for row in await pool.fetch("SELECT DISTINCT policy FROM checkpoints")}
    assert policies == {policy_number(NERVOUS)}
    stored = await stored_entries(pool, giant_id, whole=False)
    assert (await facts_by_address(pool))[JANE] == fold_all(Facts(), stored, NERVOUS)


async def test_checkpoints_leave_with_the_months_that_they_lie_in(pool: WriterPool, giant_id: int) -> None:
    assert giant_id
    await drop_old_months(pool, now=NOW, retention_months=3)
    assert await pool.fetchval("SELECT count(*) FROM checkpoints") == 0


async def test_the_loop_goes_on_while_a_long_log_is_folded_to_its_end(pool: WriterPool, giant_id: int) -> None:
    assert giant_id
    late = make_event(Kind.COMPLAINT, day=1.0001, cause=Cause.ABUSE_REPORT, message=None)
    work = asyncio.create_task(apply(pool, [late], rules=rules_of(POLICY, LogReading(most_entries=50_000))))
    begun, longest = time.perf_counter(), 0.0
    while not work.done():
        started = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - started)
    await work
    # A slice takes some 10 ms; a machine that does other work as well makes all of it slower alike.
    assert longest < (time.perf_counter() - begun) / 3


async def test_a_void_of_an_old_entry_is_folded_from_before_that_entry(pool: WriterPool, giant_id: int) -> None:
    complaint = make_event(Kind.COMPLAINT, day=10.0001, cause=Cause.ABUSE_REPORT, message=None)
    await apply(pool, [complaint])
    await finish(pool)
    voided = void(30, complaint, act_id=await an_act(pool))
    async with writing(pool) as connection:
        await apply_decisions(connection, [voided], rules=RULES, now=NOW)
    assert await pool.fetchval("SELECT status FROM contacts") == "complained"  # until the rest is folded
    await finish(pool)
    assert await pool.fetchval("SELECT status FROM contacts") == "unsubscribed"
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, day=20.5, cause=Cause.MAILBOX_FULL, message="late")])
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def an_act(pool: WriterPool) -> int:
    """A command, to which decisions belong."""
    act = Act(
        account="default",
        token_id=None,
        token_name=None,
        actor="ann",
        role=Role.ADMINISTRATOR,
        what="command",
        idempotency_key=None,
        request_hash=None,
        note="a mistake",
        proof=None,
        subject=None,
        at=NOW,
    )
    async with pool.acquire() as connection:
        act_id = await insert_act(connection, act)
    assert act_id is not None
    return act_id

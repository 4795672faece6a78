"""Contacts with long logs that were folded under a former policy, or have a base: the background folds them again."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from schemas.decision import Role
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.contacts.one_answer import require_one_answer
from tests.contacts.refolds import finish, refolder, waiting
from tests.contacts.test_applying import NOW, POLICY, RULES, apply, facts_by_address
from tests.contacts.test_late_entries import JANE, an_act, giant
from tests.policy.test_order_of_arrival import NERVOUS
from tests.schemas.decisions import lift
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import apply_decisions
from worker.contacts.batch_terms import BatchRules
from worker.contacts.policies import Policies, apply_policy, configure_policy
from worker.contacts.sweep import sweep
from worker.jobs.policy_job import PolicyJob
from worker.jobs.runner import JobRunner
from worker.policy.facts import Facts
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.fold import fold_all
from worker.policy.former_base import since
from worker.policy.policy_file import load_policy
from worker.policy.rule import Policy
from worker.process.backlog import Backlog
from worker.store.jobs import list_jobs
from worker.store.pool import WriterPool
from worker.store.stored_entries import stored_entries
from worker.store.writer_pool import writing

# Two full mailboxes within a day block for good; POLICY lets them pass.
STRICT = load_policy({"preset": "none", "rules": {"full": {"causes": ["mailbox_full"], "strikes": 2, "reset_on": []}}})
LATE_COMPLAINT = make_event(Kind.COMPLAINT, day=5.0001, cause=Cause.ABUSE_REPORT, message=None)


def fresh() -> BatchRules:
    """Those of a process that has just started."""
    return replace(RULES, policies=Policies(POLICY))


def full(day: float) -> FeedbackEvent:
    return make_event(Kind.SOFT_BOUNCE, day=day, cause=Cause.MAILBOX_FULL, message=f"full{day}")


async def giant_of_a_former_policy(pool: WriterPool) -> int:
    """A contact with twelve thousand entries, folded under a policy that is no longer the active one."""
    await configure_policy(pool, POLICY, now=NOW)
    contact = await giant(pool, 12_000, rules=fresh())
    await apply(pool, [full(8.9), full(9)], rules=fresh())
    await apply_policy(pool, STRICT, now=NOW, by="jane")
    return contact


GIANT = giant_of_a_former_policy


async def folded_anew(pool: WriterPool, contact_id: int, policy: Policy) -> Facts:
    return fold_all(Facts(), await stored_entries(pool, contact_id, whole=False), policy)


async def is_folded_under_the_active_policy(pool: WriterPool, contact_id: int) -> None:
    assert await pool.fetchval("SELECT policy_id FROM contacts") == 2
    assert (await facts_by_address(pool))[JANE] == await folded_anew(pool, contact_id, STRICT)
    assert await require_one_answer(pool, JANE, POLICY, now=NOW) == "multiple_soft_bounces"


async def test_a_batch_leaves_a_giant_of_a_former_policy_to_the_background(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=25, scope="news", message=None)], rules=fresh())

    assert await waiting(pool) == 1
    assert await pool.fetchval("SELECT policy_id FROM contacts") == 1
    assert await require_one_answer(pool, JANE, POLICY, now=NOW) == "unsubscribed"  # the event counts at once
    await finish(pool)
    await is_folded_under_the_active_policy(pool, giant_id)
    lines = await pool.fetch("SELECT actor, new_status, note FROM status_changes ORDER BY id DESC LIMIT 2")
    assert [tuple(line) for line in lines] == [
        ("policy", "multiple_soft_bounces", "folded again under policy 2, custom"),
        ("events", "unsubscribed", None),
    ]


async def test_what_comes_late_into_a_giant_of_a_former_policy_counts_at_once(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [LATE_COMPLAINT], rules=fresh())

    assert await waiting(pool) == 1
    assert await require_one_answer(pool, JANE, POLICY, now=NOW) == "complained"
    await refolder(pool).take_step()
    await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=0.3, scope="news", message=None)], rules=fresh())
    await finish(pool)
    assert (await facts_by_address(pool))[JANE] == await folded_anew(pool, giant_id, STRICT)
    assert await pool.fetchval("SELECT policy_id FROM contacts") == 2
    assert await require_one_answer(pool, JANE, POLICY, now=NOW) == "complained"


async def test_a_sweep_leaves_a_giant_of_a_former_policy_to_the_background(pool: WriterPool, giant_id: int) -> None:
    after = NOW + timedelta(days=400)
    await pool.execute("UPDATE contacts SET next_change_at = $1", NOW)

    await sweep(pool, Policies(POLICY), now=after)

    assert await waiting(pool) == 1
    assert await pool.fetchval("SELECT policy_id FROM contacts") == 1
    await finish(pool)
    await is_folded_under_the_active_policy(pool, giant_id)


async def test_a_policy_job_leaves_giants_to_the_background_and_ends(pool: WriterPool, giant_id: int) -> None:
    kind = PolicyJob(Policies(POLICY), known_everywhere_seconds=0, clock=lambda: NOW)

    await JobRunner(pool, {kind.name: kind}, backlog=Backlog(), clock=lambda: NOW).work_off(asyncio.Event())

    (job,) = await list_jobs(pool, limit=9)
    assert (job.state, job.counts) == ("done", {"left_to_background": 1})
    assert await waiting(pool) == 1
    await finish(pool)
    await is_folded_under_the_active_policy(pool, giant_id)


async def test_a_refold_under_a_policy_that_is_former_by_now_begins_anew(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [LATE_COMPLAINT], rules=fresh())
    steps = refolder(pool)
    await steps.take_step()
    await apply_policy(pool, NERVOUS, now=NOW, by="jane")

    await finish(pool)

    assert (await facts_by_address(pool))[JANE] == await folded_anew(pool, giant_id, NERVOUS)
    assert await pool.fetchval("SELECT policy_id FROM contacts") == 3


async def test_a_lift_of_a_giant_of_a_former_policy_counts_under_both(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [make_event(Kind.COMPLAINT, day=25, cause=Cause.ABUSE_REPORT, message=None)], rules=fresh())
    act_id = await an_act(pool)

    async with writing(pool) as connection:
        decision = lift(30, act_id=act_id, role=Role.ADMINISTRATOR)
        applied = await apply_decisions(connection, [decision], rules=fresh(), now=NOW)

    (result,) = applied.results
    assert result.is_stored
    assert await require_one_answer(pool, JANE, POLICY, now=NOW) == "active"
    await finish(pool)
    assert (await facts_by_address(pool))[JANE] == await folded_anew(pool, giant_id, STRICT)
    assert await require_one_answer(pool, JANE, POLICY, now=NOW) == "active"


@pytest.mark.parametrize(
    "late",
    [
        make_event(Kind.COMPLAINT, day=4.0001, cause=Cause.ABUSE_REPORT, message=None),
        pytest.param(
            make_event(Kind.COMPLAINT, day=-3, cause=Cause.ABUSE_REPORT, message=None), marks=pytest.mark.slow
        ),
        pytest.param(make_event(Kind.RESUBSCRIBE, day=-3, message=None), marks=pytest.mark.slow),
        pytest.param(full(5), marks=pytest.mark.slow),
    ],
    ids=["behind the base", "a complaint of its time", "an opt-in of its time", "a failure"],
)
async def test_a_giant_with_a_base_is_folded_onto_it_in_the_background(pool: WriterPool, late: FeedbackEvent) -> None:
    contact = await giant(pool, 12_000, rules=fresh())
    old = fold_all(Facts(), [make_event(Kind.UNSUBSCRIBE, day=-5, scope="news", message=None)], POLICY)
    until = START - timedelta(days=1)
    await pool.execute("UPDATE contacts SET base = $1, base_until = $2", encode_facts(old), until)
    await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=1, scope="other", message=None)], rules=fresh())
    await finish(pool)

    await apply(pool, [late], rules=fresh())
    assert await waiting(pool) == (late.kind is Kind.COMPLAINT)  # the others change nothing, or not for long
    if late.kind is Kind.COMPLAINT:
        assert await pool.fetchval("SELECT status FROM contacts") == "complained"
    await finish(pool)

    stored = since(await stored_entries(pool, contact, whole=False), until)
    base = decode_facts(await pool.fetchval("SELECT base FROM contacts"))
    assert (await facts_by_address(pool))[JANE] == fold_all(base, stored, POLICY)
    assert (base.complaint is not None) == (late.kind is Kind.COMPLAINT and late.occurred_at < until)
    assert {optout.scope for optout in base.consent.optouts} == {"news"}

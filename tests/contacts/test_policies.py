"""Whatever the policy does, applied or pending, every answer about a contact is the same one."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from schemas.decision import Decision
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Kind
from tests.contacts.one_answer import require_one_answer
from tests.schemas.decisions import lift, listing
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_decisions, apply_events
from worker.contacts.decision_result import DecisionResult
from worker.contacts.foresight import foresee
from worker.contacts.policies import Policies, apply_policy, configure_policy
from worker.contacts.sweep import sweep
from worker.jobs.policy_job import PolicyJob
from worker.jobs.runner import JobRunner
from worker.policy.policy_file import load_policy, preset
from worker.policy.rule import Policy
from worker.policy.standing import standing
from worker.process.backlog import Backlog
from worker.store.jobs import list_jobs
from worker.store.policies import policy_rows
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

NOW = START + timedelta(days=400)
OLDEST = START - timedelta(days=400)
RECOMMENDED, HARD_ONLY = preset("recommended"), preset("provider")
JANE = "jane@example.org"
AN_ACT = "INSERT INTO acts (actor, role, what, at) VALUES ('anna', 'operator', 'call', $1) RETURNING id"


def full(day: float) -> FeedbackEvent:
    return make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=day, message=f"m{day}")


def full_for_weeks() -> list[FeedbackEvent]:
    """Five strikes under the recommended policy, none under the one of ESPs."""
    return [full(day) for day in (300.0, 304.0, 308.0, 312.0, 390.0)]


async def take(pool: WriterPool, policies: Policies, events: Sequence[FeedbackEvent]) -> None:
    rules = BatchRules(policies=policies, oldest_kept=OLDEST)
    async with writing(pool) as connection:
        applied = await apply_events(connection, events, rules=rules, now=NOW)
    assert not applied.leftover


async def fold_again(pool: WriterPool, policy: Policy = RECOMMENDED) -> None:
    """What the processors do after `policy apply`."""
    kind = PolicyJob(Policies(policy), known_everywhere_seconds=0, clock=lambda: NOW)
    await JobRunner(pool, {kind.name: kind}, backlog=Backlog(), clock=lambda: NOW).work_off(asyncio.Event())


async def test_the_first_start_puts_the_configurations_policy_in_force(pool: WriterPool) -> None:
    state = await configure_policy(pool, HARD_ONLY, now=NOW)

    assert (state.applied, state.job_id, state.pending_id) == (True, None, None)
    assert (await Policies(RECOMMENDED).active(pool)).policy == HARD_ONLY


async def test_another_policy_in_the_configuration_waits_until_it_is_applied(pool: WriterPool) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)
    waiting = await configure_policy(pool, HARD_ONLY, now=NOW)
    again = await configure_policy(pool, HARD_ONLY, now=NOW)

    assert waiting.pending_id is not None
    assert again.pending_id == waiting.pending_id
    await take(pool, Policies(HARD_ONLY), full_for_weeks())
    assert await require_one_answer(pool, JANE, HARD_ONLY, now=NOW) == "multiple_soft_bounces"

    assert (await configure_policy(pool, RECOMMENDED, now=NOW)).pending_id is None
    assert [row.state for row in await policy_rows(pool)] == ["active"]


async def test_an_applied_policy_frees_by_a_job_and_the_history_says_so(pool: WriterPool) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)
    await take(pool, Policies(RECOMMENDED), full_for_weeks())

    state = await apply_policy(pool, HARD_ONLY, now=NOW, by="jane")
    assert (
        await require_one_answer(pool, JANE, HARD_ONLY, now=NOW) == "multiple_soft_bounces"
    )  # until the job has come to it
    await fold_again(pool)

    assert await require_one_answer(pool, JANE, HARD_ONLY, now=NOW) == "new"
    line = await pool.fetchrow("SELECT actor, new_blocks, note FROM status_changes ORDER BY id DESC LIMIT 1")
    assert tuple(line or ()) == ("policy", "none", f"folded again under policy {state.active.id}, provider")
    (job,) = await list_jobs(pool, limit=9)
    assert (job.state, job.counts["contacts"], job.requested_by) == ("done", 1, "jane")


async def test_an_event_for_a_contact_of_a_former_policy_gets_its_line_after_the_policys(pool: WriterPool) -> None:
    await configure_policy(pool, HARD_ONLY, now=NOW)
    await take(pool, Policies(HARD_ONLY), full_for_weeks())
    state = await apply_policy(pool, RECOMMENDED, now=NOW, by="jane")

    await take(pool, Policies(HARD_ONLY), [make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, day=395)])

    lines = await pool.fetch("SELECT actor, old_status, new_status FROM status_changes ORDER BY id")
    assert [tuple(line) for line in lines] == [
        ("policy", "new", "multiple_soft_bounces"),
        ("events", "multiple_soft_bounces", "complained"),
    ]
    assert await pool.fetchval("SELECT policy_id FROM contacts") == state.active.id


async def decide(pool: WriterPool, decision: Decision, policies: Policies) -> DecisionResult:
    act_id: int = await pool.fetchval(AN_ACT, NOW)
    async with writing(pool) as connection:
        applied = await apply_decisions(
            connection,
            [replace(decision, act_id=act_id)],
            rules=BatchRules(policies=policies, oldest_kept=OLDEST),
            now=NOW,
        )
    (result,) = applied.results
    return result


async def history(pool: WriterPool) -> list[tuple[str, str, str]]:
    lines = await pool.fetch("SELECT actor, old_status, new_status FROM status_changes ORDER BY id")
    return [tuple(line) for line in lines]


async def test_a_lift_ends_what_the_active_policy_blocks_though_the_contact_has_the_facts_of_a_former_one(
    pool: WriterPool,
) -> None:
    await configure_policy(pool, HARD_ONLY, now=NOW)
    await take(pool, Policies(HARD_ONLY), full_for_weeks())
    state = await apply_policy(pool, RECOMMENDED, now=NOW, by="jane")

    result = await decide(pool, lift(0), Policies(HARD_ONLY))

    assert result.is_stored
    assert await history(pool) == [
        ("policy", "new", "multiple_soft_bounces"),
        ("anna", "multiple_soft_bounces", "new"),
    ]
    assert await pool.fetchval("SELECT policy_id FROM contacts") == state.active.id
    assert await require_one_answer(pool, JANE, HARD_ONLY, now=NOW) == "new"


async def test_a_lift_of_what_only_a_former_policy_blocks_is_not_needed_and_the_contact_is_free_from_then_on(
    pool: WriterPool,
) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)
    await take(pool, Policies(RECOMMENDED), full_for_weeks())
    await apply_policy(pool, HARD_ONLY, now=NOW, by="jane")

    result = await decide(pool, lift(0), Policies(RECOMMENDED))

    assert not result.is_stored
    assert await history(pool) == [
        ("events", "new", "multiple_soft_bounces"),
        ("policy", "multiple_soft_bounces", "new"),
    ]
    assert await require_one_answer(pool, JANE, RECOMMENDED, now=NOW) == "new"
    assert await pool.fetchval("SELECT count(*) FROM entries WHERE act_id IS NOT NULL") == 0


async def test_a_repeated_decision_is_answered_under_the_active_policy(pool: WriterPool) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)
    await take(pool, Policies(RECOMMENDED), full_for_weeks())
    listed = listing(0)
    await decide(pool, listed, Policies(RECOMMENDED))
    await apply_policy(pool, HARD_ONLY, now=NOW, by="jane")

    repeat = await decide(pool, listed, Policies(RECOMMENDED))

    assert repeat.effect is None
    assert standing(repeat.facts, repeat.policy, NOW).status == await require_one_answer(pool, JANE, HARD_ONLY, now=NOW)
    assert repeat.facts.deliverability.rules == ()


async def test_a_sweep_folds_a_contact_of_a_former_policy_under_the_active_one(pool: WriterPool) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)
    await take(pool, Policies(RECOMMENDED), full_for_weeks())
    state = await apply_policy(pool, HARD_ONLY, now=NOW, by="jane")
    after_the_hold = NOW + timedelta(days=60)

    assert await sweep(pool, Policies(RECOMMENDED), now=after_the_hold) == 1

    assert await pool.fetchval("SELECT policy_id FROM contacts") == state.active.id
    actors = [row["actor"] for row in await pool.fetch("SELECT actor FROM status_changes ORDER BY id")]
    assert actors[:2] == ["events", "time"]


async def test_a_processor_that_has_not_heard_of_a_policy_never_folds_back(pool: WriterPool) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)
    behind = Policies(RECOMMENDED)
    await take(pool, behind, full_for_weeks()[:4])
    state = await apply_policy(pool, HARD_ONLY, now=NOW, by="jane")
    await fold_again(pool)

    await take(pool, behind, full_for_weeks()[4:])

    assert await pool.fetchval("SELECT policy_id FROM contacts") == state.active.id
    assert await require_one_answer(pool, JANE, RECOMMENDED, now=NOW) == "new"


async def test_contacts_without_entries_in_order_need_no_mark(pool: WriterPool) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)

    await take(pool, Policies(RECOMMENDED), [make_event(Kind.DELIVERED), make_event(Kind.OPENED, day=1)])

    assert await pool.fetchval("SELECT policy_id FROM contacts") is None


async def test_contacts_of_a_former_version_are_folded_again_at_the_first_start(pool: WriterPool) -> None:
    await take(pool, Policies(HARD_ONLY), full_for_weeks())  # no policy is stored yet
    assert await pool.fetchval("SELECT policy_id FROM contacts") == 0

    state = await configure_policy(pool, RECOMMENDED, now=NOW)
    assert state.job_id is not None
    await fold_again(pool)

    assert await require_one_answer(pool, JANE, RECOMMENDED, now=NOW) == "multiple_soft_bounces"


async def test_two_starts_at_once_put_one_policy_in_force(pool: WriterPool) -> None:
    states = await asyncio.gather(
        *(configure_policy(pool, policy, now=NOW) for policy in (RECOMMENDED, HARD_ONLY, RECOMMENDED))
    )

    assert sum(state.applied for state in states) == 1
    assert await pool.fetchval("SELECT count(*) FROM policies WHERE state = 'active'") == 1


async def test_a_policy_that_is_applied_again_after_another_one_is_a_later_one(pool: WriterPool) -> None:
    ids = [
        (await apply_policy(pool, policy, now=NOW, by="jane")).active.id
        for policy in (RECOMMENDED, HARD_ONLY, RECOMMENDED)
    ]

    assert ids == sorted(set(ids))


async def test_the_foresight_counts_whom_the_job_then_blocks_and_frees(pool: WriterPool) -> None:
    await configure_policy(pool, RECOMMENDED, now=NOW)
    bounced = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="joe@example.net", account="b")
    await take(pool, Policies(RECOMMENDED), [*full_for_weeks(), bounced])
    other = load_policy({"preset": "none", "rules": {"soft": {"causes": ["@soft"], "strikes": 50}}})

    seen = await foresee(pool, other, Policies(RECOMMENDED), now=NOW)
    of_b = await foresee(pool, other, Policies(RECOMMENDED), now=NOW, account="b")
    back = await foresee(pool, RECOMMENDED, Policies(RECOMMENDED), now=NOW)

    assert (seen.looked_at, seen.freed.contacts, seen.blocked.contacts) == (2, 2, 0)
    assert {rule: group.contacts for rule, group in seen.freed.by_rule.items()} == {"bad_mailbox": 1, "mailbox_full": 1}
    assert seen.freed.by_domain == {"example.org": 1, "example.net": 1}
    assert [sample.address for sample in of_b.freed.by_rule["bad_mailbox"].samples] == ["joe@example.net"]
    assert (of_b.looked_at, back.freed.contacts, back.blocked.contacts) == (1, 0, 0)

    await apply_policy(pool, other, now=NOW, by="jane")
    await fold_again(pool)
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE blocks = $1", Blocks.NONE) == 2
    undone = await foresee(pool, RECOMMENDED, Policies(RECOMMENDED), now=NOW)
    assert (undone.blocked.contacts, list(undone.blocked.by_rule)) == (2, ["bad_mailbox", "mailbox_full"])

"""Holds end by themselves, and leave a line in the history."""

from datetime import timedelta

from schemas.vocabulary import Cause, Kind
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.contacts.sweep import sweep
from worker.policy.policy_file import recommended_policy
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=400))
FIFTH_STRIKE = 16.0


async def five_strikes(pool: WriterPool) -> None:
    events = [
        make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=day, message=f"m{day}")
        for day in (0.0, 4.0, 8.0, 12.0, FIFTH_STRIKE)
    ]
    async with writing(pool) as connection:
        await apply_events(connection, events, rules=RULES, now=START + timedelta(days=17))


async def test_repeated_soft_bounces_become_a_hold_with_an_end(pool: WriterPool) -> None:
    await five_strikes(pool)

    row = await pool.fetchrow("SELECT status, blocks, status_until, rule FROM contacts")
    until = START + timedelta(days=FIFTH_STRIKE + 30)
    assert tuple(row or ()) == ("multiple_soft_bounces", "marketing", until, "mailbox_full")


async def test_a_hold_that_ended_is_swept_into_the_history_once(pool: WriterPool) -> None:
    await five_strikes(pool)
    after_the_hold = START + timedelta(days=FIFTH_STRIKE + 31)

    assert await sweep(pool, RULES.policies, now=START + timedelta(days=20)) == 0
    assert await sweep(pool, RULES.policies, now=after_the_hold) == 1
    assert await sweep(pool, RULES.policies, now=after_the_hold) == 0

    assert await pool.fetchval("SELECT blocks FROM contacts") == "none"
    line = await pool.fetchrow("SELECT old_status, new_blocks, actor FROM status_changes ORDER BY id DESC LIMIT 1")
    assert tuple(line or ()) == ("multiple_soft_bounces", "none", "time")


async def test_a_hold_that_ended_unswept_gets_its_line_before_the_next_events(pool: WriterPool) -> None:
    await five_strikes(pool)
    again = make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=60, message="m60")

    async with writing(pool) as connection:
        await apply_events(connection, [again], rules=RULES, now=START + timedelta(days=61))

    lines = await pool.fetch("SELECT new_status, actor FROM status_changes ORDER BY id")
    assert [tuple(line) for line in lines][-2:] == [
        (lines[-2]["new_status"], "time"),
        ("multiple_soft_bounces", "events"),
    ]
    until = START + timedelta(days=60 + 90)  # the ladder's second rung
    assert await pool.fetchval("SELECT status_until FROM contacts") == until

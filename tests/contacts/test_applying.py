"""The batch path on a real Postgres: whatever the order, the repeats and the split, one result."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.properties import examples
from tests.schemas.feedback_events import START, arrivals, histories, make_event
from tests.stored_contacts import EMPTY_LOG, all_contacts
from worker.contacts.applying import Applied, BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.policy.standing import standing
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

NOW = START + timedelta(days=400)
POLICY = recommended_policy()
RULES = BatchRules(policies=Policies(POLICY), oldest_kept=START - timedelta(days=400))
ADDRESSES = ("jane@example.org", "joe@example.net", "eve@example.com")


async def apply(pool: WriterPool, events: Sequence[FeedbackEvent], *, rules: BatchRules = RULES) -> Applied:
    async with writing(pool) as connection:
        applied = await apply_events(connection, events, rules=rules, now=NOW)
    if applied.leftover:
        rest = await apply(pool, applied.leftover, rules=rules)
        applied.new_events += rest.new_events
    return applied


async def facts_by_address(pool: WriterPool) -> dict[str, Facts]:
    async with pool.acquire() as connection:
        return {row.address: facts_from_row(row) for row in await all_contacts(connection)}


async def empty(pool: WriterPool) -> None:
    await pool.execute(EMPTY_LOG)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_any_order_any_repeats_and_any_split_end_in_the_same_facts_and_status(
    pool: WriterPool, data: st.DataObject
) -> None:
    events = data.draw(histories(ADDRESSES))
    batches = data.draw(arrivals(events))
    await empty(pool)

    for batch in batches:
        await apply(pool, batch)

    stored = await facts_by_address(pool)
    for address in {event.address for event in events}:
        expected = fold_all(Facts(), [event for event in events if event.address == address], POLICY)
        assert stored[address or ""] == expected
        row = await pool.fetchrow("SELECT status, blocks, status_until FROM contacts WHERE address = $1", address)
        shown = standing(expected, POLICY, NOW)
        assert (shown.status, shown.blocks, shown.until) == tuple(row or ())
    assert await pool.fetchval("SELECT count(*) FROM log") == len(events)


async def test_a_repeated_event_is_stored_once_and_changes_nothing(pool: WriterPool) -> None:
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST)

    first = await apply(pool, [bounce, bounce])
    again = await apply(pool, [bounce])

    assert (first.new_events, first.duplicates, len(first.changes)) == (1, 1, 1)
    assert (again.new_events, again.duplicates, len(again.changes)) == (0, 1, 0)
    assert await pool.fetchval("SELECT count(*) FROM status_changes") == 1


async def test_a_hard_bounce_blocks_and_leaves_its_line_in_the_history(pool: WriterPool) -> None:
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST)

    await apply(pool, [bounce])

    contact = await pool.fetchrow("SELECT status, blocks, cause, status_event_key FROM contacts")
    assert tuple(contact or ()) == ("blocklisted", "all", "mailbox_does_not_exist", bounce.event_key)
    line = await pool.fetchrow("SELECT old_status, new_status, actor, delivery_id FROM status_changes")
    assert tuple(line or ()) == ("new", "blocklisted", "events", bounce.delivery_id)


async def test_a_worker_whose_clock_runs_behind_the_receivers_blocks_at_once(pool: WriterPool) -> None:
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, received_at=START)

    async with writing(pool) as connection:
        await apply_events(connection, [bounce], rules=RULES, now=START - timedelta(seconds=1))

    assert await pool.fetchval("SELECT blocks FROM contacts") == "all"


async def test_becoming_active_is_recognised_by_the_times_and_writes_no_history(pool: WriterPool) -> None:
    await apply(pool, [make_event(Kind.ACCEPTED)])
    await apply(pool, [make_event(Kind.DELIVERED, day=0.1)])

    assert await pool.fetchval("SELECT status FROM contacts") == "active"
    assert await pool.fetchval("SELECT count(*) FROM status_changes") == 0


async def test_a_late_event_refolds_only_its_own_contact(pool: WriterPool) -> None:
    other = make_event(Kind.DELIVERED, address="joe@example.net", day=3)
    await apply(pool, [make_event(Kind.DELIVERED, day=5, message="m2"), other])

    late = await apply(pool, [make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=1)])

    assert late.refolded == 1
    # The later delivery of another message has cleared the strike, though it was applied before it.
    assert await pool.fetchval("SELECT status FROM contacts WHERE address = 'jane@example.org'") == "active"


async def test_an_event_without_a_vendor_time_meets_its_duplicate_that_arrives_later(pool: WriterPool) -> None:
    first = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, arrival_dated=True, key="k")
    later = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, arrival_dated=True, key="k", day=2)

    await apply(pool, [first])
    repeated = await apply(pool, [later])

    assert repeated.duplicates == 1
    assert await pool.fetchval("SELECT count(*) FROM log") == 1


async def test_an_event_dated_by_its_arrival_meets_a_duplicate_whose_own_time_is_past_by_then(pool: WriterPool) -> None:
    # The vendor's clock ran ahead of ours: the first copy seemed to come from the future, the repeated one no more.
    first = make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, arrival_dated=True, key="k", message=None)
    again = make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, key="k", message=None, day=0.001)

    await apply(pool, [first])
    repeated = await apply(pool, [again])

    assert (repeated.new_events, repeated.duplicates) == (0, 1)
    assert await pool.fetchval("SELECT count(*) FROM log") == 1


async def test_an_event_that_names_nobody_is_stored_once_without_a_contact(pool: WriterPool) -> None:
    suspended = make_event(Kind.OTHER, address=None, vendor_event="account_status_change")

    first = await apply(pool, [suspended])
    again = await apply(pool, [suspended])

    assert first.kinds == {(suspended.provider, Kind.OTHER): 1}  # what the metrics count: forged mail is seen there
    assert again.kinds == {}
    assert (again.new_events, again.duplicates) == (0, 1)
    assert await pool.fetchval("SELECT count(*) FROM log WHERE contact_id IS NULL") == 1
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_two_batches_at_once_with_the_same_new_contacts_apply_each_event_once(pool: WriterPool) -> None:
    addresses = [f"user{number}@example.org" for number in range(200)]
    accepted = [make_event(Kind.ACCEPTED, address=address) for address in addresses]
    delivered = [make_event(Kind.DELIVERED, address=address, day=0.1) for address in addresses]
    both = [*accepted, *delivered]

    results = await asyncio.gather(*(apply(pool, batch) for batch in (both, list(reversed(both)), both)))

    assert sum(applied.new_events for applied in results) == len(both)
    assert await pool.fetchval("SELECT count(*) FROM log") == len(both)
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE status = 'active'") == len(addresses)


async def test_batches_that_share_new_contacts_never_wait_for_each_other_in_a_circle(pool: WriterPool) -> None:
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await pool.fetchval(deadlocks)

    async def campaign(number: int) -> None:
        # Each batch meets contacts of the batches before it and new ones, which others insert at the same time.
        for step in range(6):
            people = range(step * 40 + number * 10, step * 40 + number * 10 + 120)
            events = [make_event(Kind.DELIVERED, address=f"user{n}@example.org", day=step, key=f"{n}") for n in people]
            await apply(pool, events if number % 2 else list(reversed(events)))

    await asyncio.gather(*(campaign(number) for number in range(4)))

    assert await pool.fetchval("SELECT count(*) FROM log") > 240
    await pool.execute("SELECT pg_stat_force_next_flush()")
    assert await pool.fetchval(deadlocks) == before


async def test_accounts_and_addresses_make_contacts_apart(pool: WriterPool) -> None:
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.INVALID_ADDRESS)
    await apply(pool, [bounce, make_event(Kind.DELIVERED, account="shop"), make_event(Kind.DELIVERED, address="x@y.z")])

    rows = await pool.fetch("SELECT account, address, status FROM contacts ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [
        ("default", "jane@example.org", "blocklisted"),
        ("default", "x@y.z", "active"),
        ("shop", "jane@example.org", "active"),
    ]

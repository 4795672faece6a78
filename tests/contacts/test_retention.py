"""Old months leave, and nothing that they decided changes; what is older still takes effect when it comes in."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.decision import Decision, Origin
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.properties import examples
from tests.schemas.decisions import void
from tests.schemas.feedback_events import START, arrivals, histories, make_event
from tests.stored_contacts import EMPTY_LOG, all_contacts
from worker.contacts.applying import Applied, BatchRules, apply_decisions, apply_events
from worker.contacts.policies import Policies
from worker.contacts.retention import drop_old_months, drop_old_raw, make_months_ahead, oldest_kept
from worker.policy.facts import Facts
from worker.policy.facts_encoding import encode_facts, facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter, Committed
from worker.store.partitions import (
    existing_partitions,
    make_partitions,
    month_of,
    months_later,
    retire_partition,
    retired_months,
)
from worker.store.pool import WriterPool
from worker.store.stored_entries import latest_entries, stored_entries
from worker.store.writer_pool import writing

POLICY = recommended_policy()
KEPT_MONTHS = 3
LONG_KEPT = BatchRules(policies=Policies(POLICY), oldest_kept=START - timedelta(days=400))


def rules_at(now: datetime) -> BatchRules:
    return BatchRules(policies=Policies(POLICY), oldest_kept=oldest_kept(now, KEPT_MONTHS))


async def apply(pool: WriterPool, events: Sequence[FeedbackEvent], *, now: datetime) -> Applied:
    """As a worker does at that moment."""
    async with writing(pool) as connection:
        return await apply_events(connection, events, rules=rules_at(now), now=now)


async def commit(pool: WriterPool, *events: FeedbackEvent, rules: BatchRules = LONG_KEPT) -> Committed:
    committed = await BatchWriter(pool, rules).commit(events)
    assert committed.refused == []
    return committed


async def decide(pool: WriterPool, decision: Decision) -> None:
    async with writing(pool) as connection:
        await connection.execute(
            "INSERT INTO acts (id, actor, role, what, at) OVERRIDING SYSTEM VALUE"
            " VALUES (1, 'anna', 'operator', 'import', $1) ON CONFLICT DO NOTHING",
            NOW,
        )
        await apply_decisions(connection, [decision], rules=rules_at(NOW), now=NOW)


async def facts_of(pool: WriterPool) -> Facts:
    async with pool.acquire() as connection:
        rows = await all_contacts(connection)
    return facts_from_row(rows[0]) if rows else Facts()


async def keep_house(pool: WriterPool, now: datetime) -> None:
    await make_months_ahead(pool, now=now, ahead=6)
    await drop_old_months(pool, now=now, retention_months=KEPT_MONTHS)


async def with_all_months_again(pool: WriterPool) -> None:
    async with pool.acquire() as connection:
        await make_partitions(connection, [months_later(month_of(START), count) for count in range(14)])


def arriving(event: FeedbackEvent, at: datetime) -> FeedbackEvent:
    return replace(event, received_at=at)


@settings(max_examples=examples(40), suppress_health_check=list(HealthCheck))
@given(data=st.data(), events=histories())
async def test_months_are_dropped_at_any_time_and_events_come_in_however_late_and_often(
    pool: WriterPool, data: st.DataObject, events: list[FeedbackEvent]
) -> None:
    """Some come in time, then months are dropped, then the others come, and more months are dropped."""
    await pool.execute(EMPTY_LOG)
    await with_all_months_again(pool)
    now = START + timedelta(days=data.draw(st.integers(100, 330)))
    # Of failures that come in so late the policy counts none, whichever of them are still there.
    late = [arriving(event, now) for event in events if data.draw(st.booleans())]
    late_keys = {event.event_key for event in late}
    in_time = [event for event in events if event.event_key not in late_keys and event.occurred_at < now]
    late = [event for event in late if event.occurred_at < now]

    for batch in data.draw(arrivals(in_time)):
        await commit(pool, *batch)
    await keep_house(pool, now)
    for batch in data.draw(
        arrivals([*late, *data.draw(st.lists(st.sampled_from(in_time)) if in_time else st.just([]))])
    ):
        await apply(pool, batch, now=now)

    assert await facts_of(pool) == fold_all(Facts(), [*in_time, *late], POLICY)
    await keep_house(pool, now + timedelta(days=120))
    nudge = make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, day=-300)
    await apply(pool, [nudge], now=now + timedelta(days=120))  # which folds the contact anew
    assert await facts_of(pool) == fold_all(Facts(), [*in_time, *late, nudge], POLICY)


# -- what is older than the retention when it comes in -------------------------------------------------------

NOW = START + timedelta(days=200)
YEARS_AGO = -7 * 365


def of_years_ago(kind: Kind, day: float = 0, **fields: object) -> FeedbackEvent:
    return make_event(kind, day=YEARS_AGO + day, received_at=NOW, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", ["opt-out first", "opt-in first", "together"])
async def test_an_opt_out_of_years_ago_is_taken_back_by_the_opt_in_that_followed_it(
    pool: WriterPool, order: str
) -> None:
    opt_out, opt_in = of_years_ago(Kind.UNSUBSCRIBE), of_years_ago(Kind.RESUBSCRIBE, day=300)
    batches = {
        "opt-out first": [[opt_out], [opt_in]],
        "opt-in first": [[opt_in], [opt_out]],
        "together": [[opt_in, opt_out]],
    }[order]
    for batch in batches:
        assert (await apply(pool, batch, now=NOW)).expired == 0

    assert await pool.fetchval("SELECT status FROM contacts") == "new"
    assert (await facts_of(pool)).consent.optouts == ()


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (of_years_ago(Kind.UNSUBSCRIBE), "unsubscribed"),
        (of_years_ago(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT), "complained"),
        (of_years_ago(Kind.DELIVERED), "active"),
        (
            of_years_ago(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, provider="bouncekeeper"),
            "blocklisted",
        ),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["known contact", "new contact"])
async def test_what_happened_years_ago_takes_effect_and_its_repeats_do_not(
    pool: WriterPool, event: FeedbackEvent, status: str, *, known: bool
) -> None:
    if known:
        await apply(pool, [make_event(Kind.ACCEPTED, day=199)], now=NOW)

    first = await apply(pool, [event], now=NOW)
    again = await apply(pool, [arriving(event, NOW + timedelta(hours=1))], now=NOW)
    await keep_house(pool, NOW)
    once_more = await apply(pool, [event], now=NOW)

    assert (first.new_events, again.new_events, once_more.new_events) == (1, 0, 0)
    assert await pool.fetchval("SELECT status FROM contacts") == status
    told = await stored_entries(pool, await pool.fetchval("SELECT id FROM contacts"))
    assert told[0].event_key == event.event_key


async def test_a_failure_of_years_ago_that_an_esp_reports_is_kept_and_told_and_is_no_strike(pool: WriterPool) -> None:
    bounce = of_years_ago(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST)

    applied = await apply(pool, [bounce], now=NOW)

    assert (applied.new_events, applied.expired) == (1, 0)
    assert await pool.fetchval("SELECT status FROM contacts") == "new"
    assert await pool.fetchval("SELECT count(*) FROM entries") == 1


async def test_repeats_of_what_was_moved_out_of_its_month_are_recognised(pool: WriterPool) -> None:
    events = [
        make_event(Kind.UNSUBSCRIBE),
        make_event(Kind.RESUBSCRIBE, day=1),
        make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, day=2),
        make_event(Kind.DELIVERED, day=3),
    ]
    await commit(pool, *events)
    await keep_house(pool, NOW)
    assert await pool.fetchval("SELECT count(*) FROM calm_events") == 0

    again = await apply(pool, events, now=NOW)
    # To a worker whose settings keep more months they are recognised too.
    longer = await commit(pool, *events)

    assert (again.new_events, again.duplicates) == (0, 4)
    assert [applied.new_events for applied in longer.applied] == [0]


async def test_the_id_of_own_json_is_recognised_after_its_month_was_dropped_though_the_repeat_names_no_time(
    pool: WriterPool,
) -> None:
    opt_out = make_event(Kind.UNSUBSCRIBE, key="k", known_by_id=True)
    await commit(pool, opt_out, make_event(Kind.RESUBSCRIBE, day=1))
    await keep_house(pool, NOW)

    again = make_event(Kind.UNSUBSCRIBE, key="k", day=199, known_by_id=True, arrival_dated=True)

    assert (await apply(pool, [again], now=NOW)).new_events == 0
    assert (await facts_of(pool)).consent.optouts == ()


async def test_what_changes_nothing_or_names_nobody_is_counted_and_not_stored_when_it_is_so_old(
    pool: WriterPool,
) -> None:
    old = [of_years_ago(Kind.ACCEPTED), of_years_ago(Kind.OTHER, address=None), of_years_ago(Kind.OPENED, machine=True)]

    applied = await apply(pool, old, now=NOW)

    assert (applied.expired, applied.new_events, applied.duplicates) == (3, 0, 0)
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 0


# -- a month while it is dropped -----------------------------------------------------------------------------


async def test_what_comes_in_while_its_month_is_dropped_is_kept(pool: WriterPool) -> None:
    """By a worker whose settings would keep the month, which is dropped by another one."""
    await commit(pool, make_event(Kind.DELIVERED))
    async with pool.acquire() as connection:
        await retire_partition(connection, month_of(START))
        await retire_partition(connection, month_of(START))
        assert await retired_months(connection) == {month_of(START)}

    await commit(pool, make_event(Kind.UNSUBSCRIBE, day=1), make_event(Kind.ACCEPTED, day=1))
    await keep_house(pool, NOW)

    assert await pool.fetchval("SELECT status FROM contacts") == "unsubscribed"
    told = await stored_entries(pool, await pool.fetchval("SELECT id FROM contacts"))
    assert [event.kind for event in told] == [Kind.DELIVERED, Kind.UNSUBSCRIBE]


async def test_a_writer_that_is_under_way_is_waited_for_before_its_month_is_dropped(pool: WriterPool) -> None:
    await make_months_ahead(pool, now=NOW, ahead=6)
    async with writing(pool) as connection:
        await apply_events(connection, [make_event(Kind.OPENED)], rules=LONG_KEPT, now=START)
        house = asyncio.create_task(drop_old_months(pool, now=NOW, retention_months=KEPT_MONTHS))
        await asyncio.wait([house], timeout=0.3)
        assert not house.done()
    await house

    assert await pool.fetchval("SELECT count(*) FROM kept_calm_events") == 1
    await commit(pool, make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, day=-1))  # folds anew
    assert (await facts_of(pool)).engagement.last_opened_at == START


async def test_a_run_that_was_killed_is_finished_by_the_next_and_told_events_are_told_once_meanwhile(
    pool: WriterPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = [make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL), make_event(Kind.DELIVERED, day=1, message="m2")]
    await commit(pool, *life)
    before = await facts_of(pool)

    async def killed(*_: object) -> None:
        raise asyncpg.AdminShutdownError("killed")

    with monkeypatch.context() as dying:
        dying.setattr("worker.contacts.retention.drop_partition", killed)
        with pytest.raises(Exception, match="killed"):
            await keep_house(pool, NOW)
    contact_id = await pool.fetchval("SELECT id FROM contacts")
    keys = [event.event_key for event in life]
    assert [event.event_key for event in await stored_entries(pool, contact_id)] == keys
    assert [event.event_key for event in await latest_entries(pool, contact_id, limit=1)] == keys[1:]
    assert [event.event_key for event in await latest_entries(pool, contact_id, limit=9)] == keys[::-1]

    await keep_house(pool, NOW)
    assert [event.event_key for event in await stored_entries(pool, contact_id)] == keys
    await apply(pool, [of_years_ago(Kind.OPENED)], now=NOW)
    assert (
        fold_all(Facts(), await stored_entries(pool, contact_id), POLICY).deliverability.rules
        == before.deliverability.rules
    )


async def test_few_of_a_busy_contacts_events_are_kept(pool: WriterPool) -> None:
    await commit(pool, *(make_event(Kind.DELIVERED, day=number / 10, message=f"m{number}") for number in range(300)))
    await keep_house(pool, NOW)
    assert await pool.fetchval("SELECT count(*) FROM kept_calm_events") == 1


async def test_what_a_younger_decision_voids_stays_and_so_does_what_stands_in_for_it(pool: WriterPool) -> None:
    earlier, later = (make_event(Kind.DELIVERED, day=day, message=f"m{day}") for day in (10, 20))
    await commit(pool, earlier, later)
    voided = replace(void(190, later), origin=Origin.IMPORT)
    await decide(pool, voided)

    await keep_house(pool, NOW)
    nudge = make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, day=-300)
    await apply(pool, [nudge], now=NOW)  # which folds the contact anew

    assert (await facts_of(pool)).engagement.last_delivered_at == earlier.occurred_at
    assert await facts_of(pool) == fold_all(Facts(), [earlier, later, voided, nudge], POLICY)
    await decide(pool, replace(void(191, voided), origin=Origin.IMPORT))
    assert (await facts_of(pool)).engagement.last_delivered_at == later.occurred_at


async def test_partitions_are_made_ahead(pool: WriterPool) -> None:
    now = START + timedelta(days=800)

    await make_months_ahead(pool, now=now, ahead=2)
    await drop_old_months(pool, now=now, retention_months=1)

    async with pool.acquire() as connection:
        months = await existing_partitions(connection)
    assert months == [months_later(month_of(now), count) for count in range(3)]


# -- bases of the former version -----------------------------------------------------------------------------


async def test_a_base_of_the_former_version_is_folded_onto_and_takes_in_what_forbids(pool: WriterPool) -> None:
    await commit(pool, make_event(Kind.DELIVERED, day=190))
    base = fold_all(Facts(), [make_event(Kind.UNSUBSCRIBE, scope="news"), make_event(Kind.DELIVERED)], POLICY)
    await pool.execute(
        "UPDATE contacts SET base = $1, base_until = $2", encode_facts(base), START + timedelta(days=100)
    )

    late = [make_event(Kind.UNSUBSCRIBE, scope="offers", day=3), make_event(Kind.RESUBSCRIBE, day=4)]
    await apply(pool, late, now=NOW)

    assert [optout.scope for optout in (await facts_of(pool)).consent.optouts] == ["news", "offers"]
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=189)], now=NOW)
    assert [optout.scope for optout in (await facts_of(pool)).consent.optouts] == ["news", "offers"]


@pytest.mark.parametrize("days", [0, 30])
async def test_what_vendors_wrote_is_dropped_by_age_and_the_events_stay(pool: WriterPool, days: int) -> None:
    old = make_event(Kind.HARD_BOUNCE, day=1, cause=Cause.MAILBOX_DOES_NOT_EXIST, raw=b'{"old": true}')
    young = make_event(Kind.SOFT_BOUNCE, day=50, cause=Cause.MAILBOX_FULL, message="m2", raw=b'{"young": true}')
    unknown = make_event(Kind.OTHER, day=2, recognised=False, vendor_event="new word", raw=b'{"unknown": true}')
    await commit(pool, old, young, unknown)
    before = await _whole_log(pool)

    await drop_old_raw(pool, now=START + timedelta(days=60), days=days)

    kept = {old.event_key: old.raw, young.event_key: young.raw, unknown.event_key: unknown.raw}
    if days:
        kept |= {old.event_key: b"", unknown.event_key: b""}
    after = await _whole_log(pool)
    assert {event.event_key: event.raw for event in after} == kept
    assert [replace(event, raw=b"") for event in after] == [replace(event, raw=b"") for event in before]


async def test_old_words_of_many_events_are_dropped_in_steps(pool: WriterPool) -> None:
    await commit(pool, *(make_event(Kind.BLOCKED, day=day, message=f"m{day}", raw=b"words") for day in range(5)))
    await drop_old_raw(pool, now=START + timedelta(days=60), days=30, events_at_once=2)
    assert await pool.fetchval("SELECT count(*) FROM entries WHERE raw IS NOT NULL OR dictionary_id IS NOT NULL") == 0


async def _whole_log(pool: WriterPool) -> list[FeedbackEvent]:
    contact_id = await pool.fetchval("SELECT id FROM contacts")
    entries = await latest_entries(pool, contact_id, limit=10)
    return [entry for entry in entries if isinstance(entry, FeedbackEvent)]

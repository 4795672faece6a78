"""Old months leave, and nothing that they decided changes."""

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.feedback_event import FeedbackEvent
from tests.feedback_events import START, histories
from tests.properties import examples
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.processor.applying import BatchRules, apply_events
from worker.processor.retention import drop_old_months, make_months_ahead, oldest_kept
from worker.store.contact_rows import lock_contacts_where
from worker.store.partitions import existing_partitions, make_partitions, month_of, months_later
from worker.store.pool import Pool

POLICY = recommended_policy()
KEPT_MONTHS = 3


async def apply(pool: Pool, events: list[FeedbackEvent]) -> None:
    rules = BatchRules(policy=POLICY, oldest_kept=START - timedelta(days=400))
    async with pool.acquire() as connection, connection.transaction():
        await apply_events(connection, events, rules=rules, now=START + timedelta(days=400))


@settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_dropping_months_changes_no_fact_even_when_later_events_come_late(
    pool: Pool, data: st.DataObject
) -> None:
    now = START + timedelta(days=200)
    horizon = oldest_kept(now, KEPT_MONTHS)
    events = data.draw(histories())
    late = [event for event in events if event.occurred_at >= horizon and data.draw(st.booleans())]
    await pool.execute("TRUNCATE contacts, events, status_changes")
    await apply(pool, [event for event in events if event not in late])

    await make_months_ahead(pool, now=now, ahead=6)
    await drop_old_months(pool, POLICY, now=now, retention_months=KEPT_MONTHS)
    await apply(pool, late)

    async with pool.acquire() as connection:
        assert (await existing_partitions(connection))[0] >= horizon
        assert await pool.fetchval("SELECT count(*) FROM events WHERE occurred_at < $1", horizon) == 0
        rows = await lock_contacts_where(connection, "true")
        assert [facts_from_row(row) for row in rows] == ([fold_all(Facts(), events, POLICY)] if events else [])
        await make_partitions(connection, [months_later(month_of(START), count) for count in range(KEPT_MONTHS + 4)])


async def test_partitions_are_made_ahead(pool: Pool) -> None:
    now = START + timedelta(days=800)

    await make_months_ahead(pool, now=now, ahead=2)
    await drop_old_months(pool, POLICY, now=now, retention_months=1)

    async with pool.acquire() as connection:
        months = await existing_partitions(connection)
    assert months == [months_later(month_of(now), count) for count in range(3)]

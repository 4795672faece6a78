"""Events and decisions through Postgres against the pure fold: whatever the order, the repeats and the split."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.decision import Decision, Origin
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks
from tests.contacts.refolds import finish, refolder
from tests.properties import examples
from tests.schemas.decisions import logs
from tests.schemas.feedback_events import START, arrivals, histories
from tests.stored_contacts import EMPTY_LOG
from worker.contacts.applying import apply_decisions, apply_events
from worker.contacts.batch_terms import BatchRules
from worker.contacts.late_entries import LogReading
from worker.contacts.policies import Policies
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.policy.standing import standing
from worker.store.contact_lookup import find_contact
from worker.store.pool import WriterPool
from worker.store.stored_entries import stored_entries
from worker.store.writer_pool import writing

# With marketing streams: whether a complaint is about one is known from its tags, which few reads of the log bring.
POLICY = replace(
    recommended_policy(),
    marketing_streams=frozenset({"news", "list-a"}),
    marketing_complaint_applies_to=Blocks.MARKETING,
)
RULES = BatchRules(policies=Policies(POLICY), oldest_kept=datetime(2020, 1, 1, tzinfo=UTC))
JANE = "jane@example.org"
# So that short logs are long, and nearly nothing of them is read in a batch.
IN_THE_BACKGROUND = replace(RULES, reading=LogReading(long=4, slice_entries=3, most_entries=3))


@pytest.mark.parametrize("rules", [RULES, IN_THE_BACKGROUND], ids=["at once", "in the background"])
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_events_decisions_voids_and_holds_in_any_order_repeated_and_split_end_in_the_facts_of_the_fold(
    pool: WriterPool, rules: BatchRules, data: st.DataObject
) -> None:
    # What an import brings keeps its time: so here decisions come in as late as events do.
    log = [
        replace(entry, origin=Origin.IMPORT) if isinstance(entry, Decision) else entry
        for entry in data.draw(logs(histories()))
    ]
    batches = data.draw(arrivals(log))
    now = START + timedelta(days=1000)
    await pool.execute(EMPTY_LOG)
    await pool.execute(
        "INSERT INTO acts (id, actor, role, what, at) OVERRIDING SYSTEM VALUE"
        " VALUES (1, 'anna', 'operator', 'import', $1)",
        now,
    )

    for batch in batches:
        events = [entry for entry in batch if isinstance(entry, FeedbackEvent)]
        decisions = [entry for entry in batch if isinstance(entry, Decision)]
        async with writing(pool) as connection:
            await apply_events(connection, events, rules=rules, now=now)
        async with writing(pool) as connection:
            await apply_decisions(connection, decisions, rules=rules, now=now)
        if rules is IN_THE_BACKGROUND:
            for _ in range(data.draw(st.integers(0, 3))):
                await refolder(pool, slice_entries=3, now=now, policies=rules.policies).take_step()
    await finish(pool, now=now, policies=rules.policies)

    row = await find_contact(pool, JANE, account="default", channel="email")
    expected = fold_all(Facts(), log, POLICY)
    shown = standing(expected, POLICY, now)
    assert (row is None) == (not log)
    if row is not None:
        assert facts_from_row(row) == expected
        assert (row.status, row.blocks, row.status_until) == (shown.status, shown.blocks, shown.until)
        stored = await stored_entries(pool, row.id)
        assert {entry.event_key for entry in stored} == {entry.event_key for entry in log}
        assert fold_all(Facts(), stored, POLICY) == expected

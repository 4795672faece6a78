"""What came late into a long log is folded in by the background, and meanwhile the stricter of the statuses counts."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.decision import DecisionKind, Origin, Role
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind, MailClass
from tests.contacts.refolds import finish, refolder, waiting
from tests.contacts.test_applying import NOW, POLICY, RULES, apply, empty, facts_by_address
from tests.contacts.test_late_entries import JANE, an_act, calm, every_checkpoint_is_right, fold_anew, giant
from tests.properties import examples
from tests.schemas.decisions import lift, make_decision
from tests.schemas.feedback_events import arrivals, histories, make_event
from worker.contacts.applying import apply_decisions
from worker.contacts.check import check_addresses
from worker.contacts.explanation import contact_explanation
from worker.contacts.late_entries import LogReading
from worker.contacts.open_refolds import open_refolds
from worker.contacts.policies import Policies
from worker.contacts.report import contact_report
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.provisional import shown_standing
from worker.policy.standing import standing
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

# So that short logs are long, and nearly nothing of them is read in a batch.
TINY = replace(RULES, reading=LogReading(long=4, slice_entries=3, most_entries=3))
LATE_COMPLAINT = make_event(Kind.COMPLAINT, day=10.0001, cause=Cause.ABUSE_REPORT, message=None)


@settings(max_examples=examples(80), suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data(), events=histories((JANE,), max_size=25), calm=calm)
async def test_at_the_end_the_facts_are_those_of_folding_anew_whatever_comes_in_between_two_steps(
    pool: WriterPool, data: st.DataObject, events: list[FeedbackEvent], calm: list[FeedbackEvent]
) -> None:
    await empty(pool)
    steps = refolder(pool, slice_entries=3)
    log = list({event.event_key: event for event in (*events, *calm)}.values())
    arrived: list[FeedbackEvent] = []
    for batch in data.draw(arrivals(log)):
        await apply(pool, batch, rules=TINY)
        arrived += batch
        await the_stricter_status_is_stored(pool)
        await every_checkpoint_is_right(pool, arrived, POLICY)
        for _ in range(data.draw(st.integers(0, 3))):
            await steps.take_step()
            await the_stricter_status_is_stored(pool)
        await every_checkpoint_is_right(pool, arrived, POLICY)
        if await waiting(pool) == 0:
            assert (await facts_by_address(pool)).get(JANE, Facts()) == fold_all(Facts(), arrived, POLICY)
    await finish(pool)
    assert (await facts_by_address(pool)).get(JANE, Facts()) == fold_all(Facts(), arrived, POLICY)
    await the_stricter_status_is_stored(pool)


async def the_stricter_status_is_stored(pool: WriterPool) -> None:
    row = await pool.fetchrow("SELECT id, status, blocks FROM contacts")
    if row is None:
        return
    refold = (await open_refolds(pool, [row["id"]])).get(row["id"])
    own = (await facts_by_address(pool))[JANE]
    shown = shown_standing(own, None if refold is None else refold.provisional, POLICY, NOW)
    assert (row["status"], row["blocks"]) == (shown.status, shown.blocks)


async def bare_giant(pool: WriterPool) -> int:
    """A contact with thirty thousand entries, and no checkpoints yet."""
    return await giant(pool, 30_000)


GIANT = bare_giant


async def test_a_late_complaint_forbids_at_once_though_its_fold_has_not_ended(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [LATE_COMPLAINT])

    assert await waiting(pool) == 1
    answer = await check_addresses(pool, [JANE], mail_class=MailClass.MARKETING, policies=Policies(POLICY), now=NOW)
    report = await contact_report(pool, JANE, policies=Policies(POLICY), now=NOW)
    explanation = await contact_explanation(pool, JANE, policies=Policies(POLICY), now=NOW)
    assert report is not None
    assert explanation is not None
    (checked,) = answer.results
    assert (checked.status, checked.allowed) == ("complained", False)
    assert {report.status, explanation.status} == {"complained"}
    for sentence in (report.sentence, explanation.sentence):
        assert "came late and is still being worked into the history" in sentence
    await finish(pool)
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)
    report = await contact_report(pool, JANE, policies=Policies(POLICY), now=NOW)
    assert report is not None
    assert report.status == "complained"
    assert "came late" not in report.sentence


async def test_a_batch_reads_no_more_of_a_long_log_than_it_may(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [LATE_COMPLAINT])

    (refold,) = (await open_refolds(pool, [giant_id])).values()
    assert refold.reached is not None
    before = await pool.fetchval("SELECT count(*) FROM log WHERE occurred_at <= $1", refold.reached.key.occurred_at)
    assert before <= LogReading().most_entries


async def test_a_block_that_was_lifted_since_counts_only_until_its_fold_has_ended(
    pool: WriterPool, giant_id: int
) -> None:
    late = [
        make_event(Kind.UNSUBSCRIBE, day=1.00001, message=None),
        make_event(Kind.RESUBSCRIBE, day=20.00001, message=None),
    ]
    await apply(pool, late[1:])
    await finish(pool)
    await apply(pool, late[:1], rules=replace(RULES, reading=LogReading(most_entries=0)))
    assert await pool.fetchval("SELECT status FROM contacts") == "unsubscribed"

    await finish(pool)

    assert await pool.fetchval("SELECT status FROM contacts") == "active"
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)
    lines = await pool.fetch("SELECT new_status, actor, note FROM status_changes ORDER BY id DESC LIMIT 2")
    assert [tuple(line) for line in lines] == [
        ("active", "events", "what came late is folded in"),
        ("unsubscribed", "events", None),
    ]


@pytest.mark.parametrize(
    "late",
    [
        make_event(Kind.SOFT_BOUNCE, day=5.0001, cause=Cause.MAILBOX_FULL, message="late"),
        make_event(Kind.UNSUBSCRIBE, day=4.5, message=None),
    ],
    ids=["a failure that was cleared since", "an opt-out before an opt-in"],
)
async def test_a_refold_ends_where_its_facts_are_those_of_a_checkpoint(
    pool: WriterPool, giant_id: int, late: FeedbackEvent
) -> None:
    await apply(pool, [make_event(Kind.RESUBSCRIBE, day=5, message=None)])
    await finish(pool)
    await apply(pool, [late], rules=replace(RULES, reading=LogReading(most_entries=0)))
    assert await waiting(pool) == 1

    steps = refolder(pool)  # of 500 entries each
    for _ in range(5):
        await steps.take_step()

    assert await waiting(pool) == 0
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, day=15, cause=Cause.MAILBOX_FULL, message="later")])
    assert await waiting(pool) == 0  # what was behind it is a checkpoint still
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def test_a_void_is_folded_where_it_changes_something_and_no_further(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=1, scope="news", message=None)])
    await finish(pool)
    key: bytes = await pool.fetchval("SELECT entry_key FROM calm_events ORDER BY occurred_at OFFSET 15000 LIMIT 1")
    voided = make_decision(DecisionKind.VOIDED, day=30, act_id=await an_act(pool), entry_keys=(key,))

    async with writing(pool) as connection:
        await apply_decisions(connection, [voided], rules=RULES, now=NOW)

    assert await waiting(pool) == 0
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, day=10.0001, cause=Cause.MAILBOX_FULL, message="late")])
    assert await waiting(pool) == 0
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def test_what_comes_in_meanwhile_takes_effect_at_once_and_stays(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [LATE_COMPLAINT])
    await refolder(pool).take_step()
    await apply(pool, [make_event(Kind.UNSUBSCRIBE, day=25, message=None)])
    assert (await facts_by_address(pool))[JANE].consent.optouts
    await refolder(pool).take_step()
    earlier = make_event(Kind.UNSUBSCRIBE, day=0.5, scope="news", message=None)
    await apply(pool, [earlier])
    (refold,) = (await open_refolds(pool, [giant_id])).values()
    assert refold.reached is None or refold.reached.key.occurred_at < earlier.occurred_at

    await finish(pool)

    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)
    shown = standing(await fold_anew(pool, giant_id), POLICY, NOW)
    assert tuple(await pool.fetchrow("SELECT status, blocks FROM contacts") or ()) == (shown.status, shown.blocks)


async def test_a_lift_meanwhile_has_to_end_what_came_late(pool: WriterPool, giant_id: int) -> None:
    await apply(pool, [LATE_COMPLAINT])
    act_id = await an_act(pool)

    async with writing(pool) as connection:
        applied = await apply_decisions(
            connection, [lift(30, act_id=act_id, role=Role.ADMINISTRATOR)], rules=RULES, now=NOW
        )

    (result,) = applied.results
    assert result.is_stored
    assert await pool.fetchval("SELECT status FROM contacts") == "active"
    await finish(pool)
    assert await pool.fetchval("SELECT status FROM contacts") == "active"
    assert (await facts_by_address(pool))[JANE] == await fold_anew(pool, giant_id)


async def test_what_came_late_is_known_to_have_even_if_it_leaves_nothing(pool: WriterPool) -> None:
    await an_act(pool)
    wish = make_decision(DecisionKind.DECLINED_COMMERCIAL, day=0, origin=Origin.IMPORT)
    others = [make_event(Kind.DEFERRED, day=day, message=f"m{day}") for day in range(1, 9)]
    await apply(pool, others, rules=TINY)
    async with writing(pool) as connection:
        await apply_decisions(connection, [wish], rules=TINY, now=NOW)
        void = make_decision(
            DecisionKind.VOIDED, day=0.5, origin=Origin.IMPORT, entry_keys=(wish.event_key,), key="a void"
        )
        await apply_decisions(connection, [void], rules=TINY, now=NOW)
    [refold] = (await open_refolds(pool, [await pool.fetchval("SELECT id FROM contacts")])).values()

    assert refold.provisional is not None
    assert refold.provisional.consent == Facts().consent

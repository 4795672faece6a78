"""What is thinned out is not missed: the rest folds to the same facts."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.decision import ANNOTATIONS
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.policy.rules import delivered, opened, soft
from tests.policy.test_order_of_arrival import any_history, any_log, policies
from tests.properties import examples
from tests.schemas.decisions import hold, logs, release, void
from tests.schemas.feedback_events import START, histories, make_event
from worker.policy.event_order import is_ordered
from worker.policy.facts import Facts
from worker.policy.fold import fold_all, is_inert
from worker.policy.policy_file import preset
from worker.policy.rule import Policy
from worker.policy.thinning import thin_out


def thinned(old: Sequence[Entry], rest: Sequence[Entry] = ()) -> list[Entry]:
    """What stays of the old entries; those that are not old may annotate them."""
    keys = thin_out([*old, *(entry for entry in rest if entry.kind in ANNOTATIONS)])
    return [entry for entry in old if entry.event_key in keys]


def as_late_as_can_be(event: Entry) -> Entry:
    """The event as it comes in years after it happened."""
    return replace(event, received_at=START + timedelta(days=2000))


@settings(max_examples=examples(600))
@given(data=st.data(), events=any_log, policy=policies)
def test_old_events_fold_to_the_same_before_and_after_with_whatever_follows_them(
    data: st.DataObject, events: list[Entry], policy: Policy
) -> None:
    horizon = START + timedelta(days=data.draw(st.integers(0, 300)))
    old = [event for event in events if event.occurred_at < horizon]
    rest = [event for event in events if event.occurred_at >= horizon]
    assert fold_all(Facts(), [*thinned(old, rest), *rest], policy) == fold_all(Facts(), events, policy)


@settings(max_examples=examples(600))
@given(data=st.data(), events=any_log, some=logs(histories(max_size=8), annotated=False), policy=policies)
def test_decisions_opt_outs_complaints_and_signs_of_life_may_come_in_later_still(
    data: st.DataObject, events: list[Entry], some: list[Entry], policy: Policy
) -> None:
    known = {event.event_key for event in events}
    failures = {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE}
    late = [as_late_as_can_be(event) for event in some if event.event_key not in known and event.kind not in failures]
    cut = START + timedelta(days=data.draw(st.integers(0, 300)))
    old = [event for event in events if event.occurred_at < cut]
    rest = [event for event in events if event.occurred_at >= cut]
    once = fold_all(Facts(), [*thinned(old, rest), *rest, *late], policy)
    assert once == fold_all(Facts(), [*events, *late], policy)
    # Then time goes on, and all of it grows old.
    assert fold_all(Facts(), thinned([*thinned(old, rest), *rest, *late]), policy) == once


@settings(max_examples=examples(300))
@given(events=any_history, late=histories(max_size=8))
def test_a_failure_that_comes_in_later_than_the_policy_allows_changes_nothing_either(
    events: list[FeedbackEvent], late: list[FeedbackEvent]
) -> None:
    known = {event.event_key for event in events}
    too_late = [as_late_as_can_be(event) for event in late if event.event_key not in known]
    policy = preset("recommended")
    assert fold_all(Facts(), [*thinned(events), *too_late], policy) == fold_all(Facts(), [*events, *too_late], policy)


@settings(max_examples=examples(600))
@given(data=st.data(), log=any_log, policy=policies)
def test_what_is_voided_restored_or_held_back_after_the_thinning_folds_to_the_same(
    data: st.DataObject, log: list[Entry], policy: Policy
) -> None:
    kept = thinned(log)
    ordered = [entry for entry in kept if is_ordered(entry)]
    annotations: list[Entry] = []
    for number in range(data.draw(st.integers(1, 3)) if ordered else 0):
        make = data.draw(st.sampled_from([void, hold, release]))
        annotations.append(make(400 + number, *data.draw(st.lists(st.sampled_from(ordered), min_size=1, max_size=3))))
    assert fold_all(Facts(), [*kept, *annotations], policy) == fold_all(Facts(), [*log, *annotations], policy)


@settings(max_examples=examples(300))
@given(data=st.data(), events=any_history)
def test_thinning_step_by_step_leaves_no_more_than_at_once(data: st.DataObject, events: list[FeedbackEvent]) -> None:
    cut = START + timedelta(days=data.draw(st.integers(0, 300)))
    first = thinned([event for event in events if event.occurred_at < cut])
    step_by_step = thinned([*first, *(event for event in events if event.occurred_at >= cut)])
    assert {event.event_key for event in step_by_step} == thin_out(events)


@given(events=histories())
def test_what_is_inert_goes_and_what_is_ordered_stays(events: list[FeedbackEvent]) -> None:
    kept = thinned(events)
    assert not any(is_inert(event) for event in kept)
    forgettable = {Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.DROPPED}
    ordered = {event.event_key for event in events if not is_inert(event) and event.kind not in forgettable}
    assert ordered <= {event.event_key for event in kept}


def test_of_a_thousand_deliveries_few_stay() -> None:
    life = [delivered(number / 10) for number in range(1000)] + [opened(number / 10) for number in range(1000)]
    assert len(thin_out(life)) == 2
    assert len(thin_out([*life, soft(50.05)])) == 2 + 1 + 4 + 1


def test_of_many_reports_of_one_delivery_the_first_is_enough() -> None:
    """A strike is cleared by two other messages, and not by two reports of one."""
    strike = soft(0, "m0")
    reports = [make_event(Kind.DELIVERED, day=1 + number, message="m1") for number in range(5)]
    others = [delivered(10), delivered(11), delivered(12)]
    kept = thinned([strike, *reports, *others])
    assert [entry.message_id for entry in kept if isinstance(entry, FeedbackEvent)] == [
        "m0",
        "m1",
        "delivered-10",
        "delivered-11",
        "delivered-12",
    ]


def test_after_something_that_was_forgotten_deliveries_may_still_clear_strikes() -> None:
    life = [delivered(number) for number in range(10)]
    assert len(thin_out(life)) == 1
    assert len(thin_out(life, after_strikes=True)) == 4


def test_a_test_leaves_nothing() -> None:
    assert thin_out([make_event(Kind.COMPLAINT, cause=Cause.TEST)]) == set()

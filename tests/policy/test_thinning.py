"""What is thinned out is not missed: the rest folds to the same facts."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.policy.rules import delivered, opened, soft
from tests.policy.test_order_of_arrival import any_history, policies
from tests.properties import examples
from tests.schemas.feedback_events import START, histories, make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all, is_inert
from worker.policy.policy_file import preset
from worker.policy.rule import Policy
from worker.policy.thinning import thin_out


def thinned(events: Sequence[FeedbackEvent]) -> list[FeedbackEvent]:
    keys = thin_out(events)
    return [event for event in events if event.event_key in keys]


def as_late_as_can_be(event: FeedbackEvent) -> FeedbackEvent:
    """The event as it comes in years after it happened."""
    return replace(event, received_at=START + timedelta(days=2000))


@settings(max_examples=examples(600))
@given(data=st.data(), events=any_history, policy=policies)
def test_old_events_fold_to_the_same_before_and_after_with_whatever_follows_them(
    data: st.DataObject, events: list[FeedbackEvent], policy: Policy
) -> None:
    horizon = START + timedelta(days=data.draw(st.integers(0, 300)))
    old = [event for event in events if event.occurred_at < horizon]
    rest = [event for event in events if event.occurred_at >= horizon]
    assert fold_all(Facts(), [*thinned(old), *rest], policy) == fold_all(Facts(), events, policy)


@settings(max_examples=examples(600))
@given(data=st.data(), events=any_history, late=histories(max_size=8), policy=policies)
def test_opt_outs_complaints_resubscribes_and_signs_of_life_may_come_in_later_still(
    data: st.DataObject, events: list[FeedbackEvent], late: list[FeedbackEvent], policy: Policy
) -> None:
    known = {event.event_key for event in events}
    failures = {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE}
    late = [as_late_as_can_be(event) for event in late if event.event_key not in known and event.kind not in failures]
    cut = START + timedelta(days=data.draw(st.integers(0, 300)))
    old = [event for event in events if event.occurred_at < cut]
    rest = [event for event in events if event.occurred_at >= cut]
    once = fold_all(Facts(), [*thinned(old), *rest, *late], policy)
    assert once == fold_all(Facts(), [*events, *late], policy)
    # Then time goes on, and all of it grows old.
    assert fold_all(Facts(), thinned([*thinned(old), *rest, *late]), policy) == once


@settings(max_examples=examples(300))
@given(events=any_history, late=histories(max_size=8))
def test_a_failure_that_comes_in_later_than_the_policy_allows_changes_nothing_either(
    events: list[FeedbackEvent], late: list[FeedbackEvent]
) -> None:
    known = {event.event_key for event in events}
    late = [as_late_as_can_be(event) for event in late if event.event_key not in known]
    policy = preset("recommended")
    assert fold_all(Facts(), [*thinned(events), *late], policy) == fold_all(Facts(), [*events, *late], policy)


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
    calm = {Kind.DELIVERED, Kind.OPENED, Kind.CLICKED}
    assert {event.event_key for event in events if not is_inert(event) and event.kind not in calm} <= {
        event.event_key for event in kept
    }


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
    assert [event.message_id for event in kept] == ["m0", "m1", "delivered-10", "delivered-11", "delivered-12"]


def test_after_something_that_was_forgotten_deliveries_may_still_clear_strikes() -> None:
    life = [delivered(number) for number in range(10)]
    assert len(thin_out(life)) == 1
    assert len(thin_out(life, after_strikes=True)) == 4


def test_a_test_leaves_nothing() -> None:
    assert thin_out([make_event(Kind.COMPLAINT, cause=Cause.TEST)]) == set()

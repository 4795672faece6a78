"""While something that came late is still being folded in, the stricter of two standings counts."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import STATUS_GRAVITY, Blocks, Cause, Kind, Status
from tests.policy.rules import day, delivered, soft
from tests.properties import examples
from tests.schemas.feedback_events import START, histories, make_event
from worker.policy.dimension import WIDTH
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.policy.provisional import next_change, shown_standing, stricter_facts, with_late, without_late
from worker.policy.standing import next_change_at, standing

POLICY = recommended_policy()
COMPLAINT = make_event(Kind.COMPLAINT, day=1, cause=Cause.ABUSE_REPORT, message=None)
OPTOUT = make_event(Kind.UNSUBSCRIBE, day=2, message=None)
NEVER = day(900)


def folded(*events: FeedbackEvent) -> Facts:
    return fold_all(Facts(), events, POLICY)


def test_without_a_refold_the_contacts_own_facts_count() -> None:
    assert shown_standing(folded(OPTOUT), None, POLICY, day(3)) == standing(folded(OPTOUT), POLICY, day(3))


def test_the_graver_status_counts_whichever_of_both_has_it() -> None:
    for own, provisional in ((folded(OPTOUT), folded(COMPLAINT)), (folded(COMPLAINT), folded(OPTOUT))):
        assert shown_standing(own, provisional, POLICY, day(3)).status is Status.COMPLAINED


def test_mail_that_either_of_both_forbids_is_forbidden() -> None:
    # An opt-out forbids marketing; strikes, which are shown for less, forbid nothing.
    one = shown_standing(folded(delivered(0), soft(1)), folded(OPTOUT), POLICY, day(3))
    assert (one.status, one.blocks) == (Status.UNSUBSCRIBED, Blocks.MARKETING)


def test_a_late_entry_counts_though_nothing_behind_it_is_folded_yet() -> None:
    facts = with_late(folded(delivered(0)), [COMPLAINT], POLICY)
    assert standing(facts, POLICY, day(3)).status is Status.COMPLAINED


def test_the_own_facts_leave_out_what_came_late_and_hold_what_came_in_order() -> None:
    facts = without_late(folded(delivered(5)), [COMPLAINT, make_event(Kind.UNSUBSCRIBE, day=6, message=None)], POLICY)
    assert (facts.complaint, len(facts.consent.optouts)) == (None, 1)
    assert facts.latest_ordered is not None
    assert facts.latest_ordered.occurred_at == day(6)


def test_a_late_entry_is_known_by_its_place_so_that_nothing_before_it_passes_for_new() -> None:
    facts = without_late(folded(delivered(5)), [COMPLAINT], POLICY)
    assert facts.latest_ordered is not None
    assert facts.latest_ordered.occurred_at == day(1)
    assert facts.complaint is None


def test_a_decision_has_to_change_the_stricter_of_both() -> None:
    own, provisional = folded(delivered(0)), folded(COMPLAINT)
    assert stricter_facts(own, provisional, POLICY, day(3)) is provisional
    assert stricter_facts(provisional, own, POLICY, day(3)) is provisional
    assert stricter_facts(own, None, POLICY, day(3)) is own


@settings(max_examples=examples(300))
@given(first=histories(max_size=12), second=histories(max_size=12), days=st.integers(0, 400))
def test_never_is_more_allowed_than_by_either(
    first: list[FeedbackEvent], second: list[FeedbackEvent], days: int
) -> None:
    own, provisional, at = folded(*first), folded(*second), START + timedelta(days=days)
    shown = shown_standing(own, provisional, POLICY, at)
    for one in (standing(own, POLICY, at), standing(provisional, POLICY, at)):
        assert WIDTH[shown.blocks] >= WIDTH[one.blocks]
        assert STATUS_GRAVITY[shown.status] >= STATUS_GRAVITY[one.status]


@settings(max_examples=examples(300))
@given(first=histories(max_size=12), second=histories(max_size=12), days=st.integers(0, 400))
def test_nothing_shown_changes_by_time_before_the_next_change(
    first: list[FeedbackEvent], second: list[FeedbackEvent], days: int
) -> None:
    own, provisional, at = folded(*first), folded(*second), START + timedelta(days=days)
    now = shown_standing(own, provisional, POLICY, at)
    until = next_change(own, provisional, POLICY, at) or NEVER
    moments = [next_change_at(one, POLICY, at) for one in (own, provisional)]
    for moment in [*filter(None, moments), until - timedelta(microseconds=1)]:
        if at < moment < until:
            then = shown_standing(own, provisional, POLICY, moment)
            assert (then.status, then.blocks, then.until) == (now.status, now.blocks, now.until)


@settings(max_examples=examples(300))
@given(log=histories(max_size=12), late=histories(max_size=4))
def test_a_late_entry_of_any_kind_can_be_folded_onto_any_facts(
    log: list[FeedbackEvent], late: list[FeedbackEvent]
) -> None:
    facts = with_late(folded(*log), late, POLICY)
    assert facts == with_late(facts, [], POLICY)
    if any(entry.kind is Kind.COMPLAINT and entry.cause is not Cause.TEST for entry in late):
        assert facts.complaint is not None or any(entry.kind is Kind.RESUBSCRIBE for entry in [*log, *late])

"""What a person asked for: opt-outs by scope, and complaints, which no event takes back."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Kind, Status
from tests.policy.rules import delivered, hard
from tests.schemas.feedback_events import START, make_event
from worker.policy.dimension import Standing
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import load_policy, recommended_policy
from worker.policy.standing import standing

LATER = START + timedelta(days=100)


def out(day: float, scope: str | None = None) -> FeedbackEvent:
    return make_event(Kind.UNSUBSCRIBE, day=day, scope=scope)


def back(day: float, scope: str | None = None) -> FeedbackEvent:
    return make_event(Kind.RESUBSCRIBE, day=day, scope=scope)


def shown(*events: FeedbackEvent) -> Standing:
    return standing(fold_all(Facts(), events, recommended_policy()), recommended_policy(), LATER)


def scopes(*events: FeedbackEvent) -> list[str]:
    return [optout.scope for optout in fold_all(Facts(), events, recommended_policy()).consent.optouts]


def test_an_unsubscribe_forbids_marketing_and_nothing_else() -> None:
    one = shown(delivered(0), out(1))
    assert (one.status, one.blocks, one.since) == (Status.UNSUBSCRIBED, Blocks.MARKETING, START + timedelta(days=1))


def test_a_second_unsubscribe_keeps_the_first_ones_time() -> None:
    assert shown(out(1), out(2)).since == START + timedelta(days=1)


def test_each_scope_is_an_opt_out_of_its_own() -> None:
    assert scopes(out(0, "b"), out(1, "a"), out(2)) == ["", "a", "b"]


def test_a_scoped_unsubscribe_forbids_what_the_policy_says() -> None:
    assert shown(out(0, "list-a")).blocks is Blocks.MARKETING
    lenient = load_policy({"scoped_unsubscribe_applies_to": "none"})
    facts = fold_all(Facts(), [out(0, "list-a")], lenient)
    assert facts.consent.optouts
    assert standing(facts, lenient, LATER).status is Status.NEW


def test_a_resubscribe_takes_back_only_its_own_scope() -> None:
    assert scopes(out(0, "a"), out(0, "b"), out(0), back(1, "a")) == ["", "b"]


def test_a_resubscribe_without_a_scope_takes_back_every_opt_out() -> None:
    assert scopes(out(0, "a"), out(0, "b"), out(0), back(1)) == []


def test_an_unsubscribe_after_the_resubscribe_holds() -> None:
    assert shown(out(0), back(1), out(2)).since == START + timedelta(days=2)


def test_a_resubscribe_lifts_neither_a_block_nor_a_complaint() -> None:
    assert shown(hard(0), back(1)).status is Status.BLOCKLISTED
    assert shown(make_event(Kind.COMPLAINT, day=0, cause=Cause.ABUSE_REPORT), back(1)).status is Status.COMPLAINED


def test_the_first_complaint_is_the_one_shown() -> None:
    first = make_event(Kind.COMPLAINT, day=1, cause=Cause.FRAUD_REPORT)
    one = shown(first, make_event(Kind.COMPLAINT, day=2, cause=Cause.ABUSE_REPORT))
    assert (one.since, one.cause, one.event_key) == (first.occurred_at, Cause.FRAUD_REPORT, first.event_key)


@pytest.mark.parametrize("kind", list(Kind))
def test_no_event_of_any_kind_lowers_a_complaint(kind: Kind) -> None:
    complaint = make_event(Kind.COMPLAINT, day=0, cause=Cause.ABUSE_REPORT)
    after = fold_all(Facts(), [complaint, make_event(kind, day=1, message="other")], recommended_policy())
    assert after.complaint == fold_all(Facts(), [complaint], recommended_policy()).complaint


def test_what_mail_a_complaint_forbids_is_the_policys_choice() -> None:
    facts = fold_all(Facts(), [make_event(Kind.COMPLAINT)], recommended_policy())
    assert standing(facts, recommended_policy(), LATER).blocks is Blocks.ALL
    lenient = replace(recommended_policy(), complaint_applies_to=Blocks.MARKETING)
    assert standing(facts, lenient, LATER).blocks is Blocks.MARKETING

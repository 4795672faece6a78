"""Lists are one if their names differ in case alone; shown is the first spelling."""

import pytest

from schemas.decision import DecisionKind
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Kind, Status
from tests.policy.rules import day
from tests.schemas.decisions import lift, optin, wish
from tests.schemas.feedback_events import make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import load_policy, recommended_policy
from worker.policy.scope import within
from worker.policy.standing import may_end, standing, standings

POLICY = recommended_policy()


def facts_after(*entries: Entry) -> Facts:
    return fold_all(Facts(), entries, POLICY)


def status(facts: Facts) -> Status:
    return standing(facts, POLICY, day(400)).status


def optout(scope: str, at: float = 0, *, address: str = "jane@example.org") -> FeedbackEvent:
    return make_event(Kind.UNSUBSCRIBE, scope=scope, day=at, address=address)


@pytest.mark.parametrize("asked", ["News", "news", " NEWS", "nEwS "])
def test_a_question_about_a_list_finds_its_optout_however_it_is_spelled(asked: str) -> None:
    facts = facts_after(optout("News"))
    assert status(within(facts, asked)) is Status.UNSUBSCRIBED
    assert status(within(facts, "offers")) is Status.NEW


def test_a_second_optout_in_another_spelling_is_known_before_and_the_first_spelling_stays() -> None:
    facts = facts_after(optout("News"), optout("NEWS", 1), optout("offers", 2))
    assert [one.scope for one in facts.consent.optouts] == ["News", "offers"]


def test_an_optin_in_another_spelling_ends_the_optout_and_no_other() -> None:
    facts = facts_after(optout("News"), optout("offers", 1), optin(2, by_contact=True, scope="news"))
    assert [one.scope for one in facts.consent.optouts] == ["offers"]
    assert [one.scope for one in facts.consent.optins] == ["news"]
    stronger = facts_after(
        optin(0, by_contact=True, scope="News"), optin(1, by_contact=True, scope="NEWS"), optout("news", 2)
    )
    assert stronger.consent.optins == ()


def test_a_resubscribe_in_another_spelling_takes_the_optout_back() -> None:
    facts = facts_after(optout("News"), make_event(Kind.RESUBSCRIBE, scope="NEWS", day=1))
    assert status(facts) is not Status.UNSUBSCRIBED


def test_an_optin_of_the_same_list_is_not_told_to_name_another_scope() -> None:
    (one,) = standings(facts_after(optout("News")), POLICY, day(1))
    assert may_end(one, optin(2, by_contact=True, scope="news")) is None
    refusal = may_end(one, optin(2, by_contact=True, scope="offers"))
    assert refusal is not None
    assert "News" in refusal.remedy


def test_a_marketing_stream_is_known_by_any_spelling() -> None:
    policy = load_policy({"marketing_streams": ["Broadcast"], "marketing_complaint_applies_to": "marketing"})
    complaint = make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, scope="broadcast")
    assert standing(fold_all(Facts(), [complaint], policy), policy, day(1)).blocks is Blocks.MARKETING


def test_our_own_unsubscribe_is_lifted_whatever_its_spelling() -> None:
    facts = facts_after(wish(DecisionKind.UNSUBSCRIBED_BY_US, 0, scope="News"), lift(1))
    assert facts.consent.taken_off == ()

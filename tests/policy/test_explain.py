"""Every event's doing is told, by the code that does it."""

from datetime import timedelta

import pytest
from hypothesis import given, settings

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind, Status
from tests.policy.rules import day, delivered, hard, one_rule, opened, soft
from tests.properties import examples
from tests.schemas.feedback_events import START, histories, make_event
from worker.policy.effect import Outcome, Reason
from worker.policy.explain import explain
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import preset, recommended_policy
from worker.policy.rule import Policy
from worker.policy.standing import next_change_at, standing

POLICY = recommended_policy()
LATER = START + timedelta(days=30)


def last_sentence(*events: FeedbackEvent, policy: Policy = POLICY) -> str:
    return explain(events, policy, day(999)).steps[-1].sentence


SENTENCES: list[tuple[str, list[FeedbackEvent], str]] = [
    ("strike", [soft(0), soft(2)], "Counted as strike 2 of 5 for rule mailbox_full."),
    (
        "engaged",
        [opened(-1), soft(0)],
        "Counted as strike 1 of 8 for rule mailbox_full (more than usual, because the person was engaged lately).",
    ),
    (
        "span",
        [soft(number) for number in range(5)],
        (
            "Counted as strike 5 of 5 for rule mailbox_full: enough, but too close together; "
            "one more, at least 10 days later, would trigger it."
        ),
    ),
    (
        "hold",
        [soft(number * 4) for number in range(5)],
        "Counted as strike 5 of 5 for rule mailbox_full: a hold began, until 2026-04-16 12:00 UTC.",
    ),
    (
        "trial",
        [*[soft(number * 4) for number in range(5)], soft(50)],
        (
            "Counted as strike 1 of 1 for rule mailbox_full (on trial after a hold): "
            "a hold began, until 2026-07-19 12:00 UTC."
        ),
    ),
    ("block", [hard(0)], "Counted as strike 1 of 1 for rule bad_mailbox: a block began, until it is lifted."),
    (
        "senders fault",
        [make_event(Kind.SOFT_BOUNCE, cause=Cause.CONTENT)],
        "Not counted: the refusal was the sender's fault.",
    ),
    (
        "blocked",
        [make_event(Kind.BLOCKED, cause=Cause.SENDER_REPUTATION)],
        "Not counted: the refusal was the sender's fault.",
    ),
    (
        "too soon",
        [soft(0), soft(0.5)],
        "Not counted by rule mailbox_full: it is within 1d of the last strike.",
    ),
    (
        "too old",
        [soft(0, received_at=START + timedelta(days=15))],
        "Not counted by rule mailbox_full: it arrived more than 14d after it happened.",
    ),
    (
        "same message",
        [soft(0, "m"), soft(3, "m")],
        "Not counted by rule mailbox_full: a failure of the same message has already counted.",
    ),
    (
        "in force",
        [hard(0), hard(3)],
        "Not counted: the block of rule bad_mailbox is already in force.",
    ),
    (
        "held",
        [*[soft(number * 4) for number in range(5)], soft(20)],
        "Not counted: the block of rule mailbox_full is already in force until 2026-04-16 12:00 UTC.",
    ),
    (
        "auto-reply",
        [delivered(0, "m"), soft(0.1, "m", cause=Cause.UNDETERMINED)],
        "Not counted: this message was reported delivered, so an unreadable bounce of it is mostly an auto-reply.",
    ),
    ("machine", [opened(0, machine=True)], "No effect: a machine did this, not the person."),
    ("test", [make_event(Kind.COMPLAINT, cause=Cause.TEST)], "No effect: it is a test."),
    ("deferred", [make_event(Kind.DEFERRED)], "No effect: it says nothing final about the address."),
    (
        "dropped",
        [make_event(Kind.DROPPED, cause=Cause.SUPPRESSED_BY_PROVIDER)],
        "No effect: the ESP did not try, because of an older event.",
    ),
    (
        "reply",
        [make_event(Kind.SOFT_BOUNCE, cause=Cause.AUTO_REPLY)],
        "Not counted: it is not a failure of the address.",
    ),
    ("delivered", [delivered(0)], "A sign of life: delivered."),
    ("reset", [soft(0), opened(1)], "A sign of life: opened. It cleared the strikes of mailbox_full."),
    (
        "excused",
        [soft(0), delivered(1, "m")],
        "A sign of life: delivered. It excuses the strikes of mailbox_full, unless this message bounces after all.",
    ),
    (
        "restored",
        [soft(0), delivered(1, "m"), soft(2, "m")],
        (
            "Counted as strike 2 of 5 for rule mailbox_full. "
            "Its delivery had excused strikes of mailbox_full: they count again."
        ),
    ),
    ("complaint", [make_event(Kind.COMPLAINT)], "The person complained; no event takes that back."),
    (
        "again",
        [make_event(Kind.COMPLAINT), make_event(Kind.COMPLAINT, day=1)],
        "No effect: the same was already known.",
    ),
    ("out", [make_event(Kind.UNSUBSCRIBE)], "The person opted out of everything."),
    ("out of", [make_event(Kind.UNSUBSCRIBE, scope="news")], "The person opted out of news."),
    (
        "back",
        [make_event(Kind.UNSUBSCRIBE, scope="news"), make_event(Kind.RESUBSCRIBE, day=1, scope="news")],
        "The person took back the opt-out of news.",
    ),
    ("nothing", [make_event(Kind.RESUBSCRIBE)], "No effect: there was no opt-out of this scope to take back."),
]


@pytest.mark.parametrize(("events", "sentence"), [case[1:] for case in SENTENCES], ids=[case[0] for case in SENTENCES])
def test_what_an_event_did_is_explained_in_a_sentence(events: list[FeedbackEvent], sentence: str) -> None:
    assert last_sentence(*events) == sentence


def test_a_failure_that_no_rule_counts_says_so() -> None:
    assert last_sentence(soft(0), policy=preset("provider")) == "Not counted: no rule of the policy counts it."


def test_half_a_strike_is_named_as_such() -> None:
    assert last_sentence(soft(0), policy=preset("mailman2")) == "Counted as strike 0.5 of 5 for rule bounce."


def test_every_reason_has_a_case_here() -> None:
    seen = {
        step.effect.reason
        for _, events, _ in SENTENCES
        for step in explain(events, POLICY, day(999)).steps
        if step.effect.reason is not None
    }
    decided = {
        Reason.OPTED_OUT,
        Reason.NOTHING_TO_LIFT,
        Reason.STILL_SUPPRESSED,
        Reason.NOT_PERMITTED,
        Reason.VOIDED,
        Reason.HELD_BACK,
    }  # test_decisions.py and test_annotations.py tell those
    assert seen == set(Reason) - decided - {Reason.NO_RULE}  # that one is met by a policy of fewer rules


def test_each_step_shows_the_status_right_after_it() -> None:
    told = explain([delivered(0), soft(1), hard(2), make_event(Kind.COMPLAINT, day=3)], preset("klaviyo"), LATER)
    assert [step.status for step in told.steps] == [
        Status.ACTIVE,
        Status.SOFT_BOUNCING,
        Status.BLOCKLISTED,
        Status.COMPLAINED,
    ]


def test_the_effect_is_a_record_too() -> None:
    effect = explain([soft(0), soft(0.5)], POLICY, LATER).steps[-1].effect
    assert (effect.outcome, effect.reason, effect.rule) == (Outcome.NOTHING, Reason.TOO_SOON, "mailbox_full")
    assert effect.limit == timedelta(days=1)


def test_events_after_the_moment_asked_about_are_left_out() -> None:
    told = explain([soft(0), soft(2), soft(4)], POLICY, day(3))
    assert len(told.steps) == 2


def test_the_story_goes_on_from_a_base() -> None:
    policy = one_rule(strikes=2)
    base = fold_all(Facts(), [soft(0)], policy)
    told = explain([soft(1)], policy, LATER, base)
    assert told.standing.status is Status.MULTIPLE_SOFT_BOUNCES
    assert told.steps[0].effect.score == 2


def test_the_whole_is_explained_in_a_sentence() -> None:
    told = explain([hard(0)], POLICY, LATER)
    assert told.sentence == (
        "blocklisted since 2026-03-01 12:00 UTC by rule bad_mailbox (mailbox_does_not_exist); "
        "all messages are forbidden."
    )
    assert explain([], POLICY, LATER).sentence == "new; nothing is forbidden."


@settings(max_examples=examples(200))
@given(events=histories())
def test_the_story_ends_in_the_facts_and_the_standing_of_the_fold(events: list[FeedbackEvent]) -> None:
    at = START + timedelta(days=301)
    for policy in (POLICY, preset("ladder")):
        told = explain(events, policy, at)
        facts = fold_all(Facts(), events, policy)
        assert told.facts == facts
        assert told.standing == standing(facts, policy, at)
        assert told.next_change_at == next_change_at(facts, policy, at)
        assert len(told.steps) == len(events)
        assert all(step.sentence.endswith(".") for step in told.steps)

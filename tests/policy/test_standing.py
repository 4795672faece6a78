"""The status shown at a moment: the gravest fact, with what all facts together forbid."""

from datetime import timedelta

import pytest
from hypothesis import given, settings

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import FREE_STATUSES, Blocks, Cause, Kind, Status
from tests.policy.rules import day, delivered, hard, one_rule, opened, soft
from tests.properties import examples
from tests.schemas.feedback_events import START, histories, make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import load_policy, preset, recommended_policy
from worker.policy.sentences import lifts
from worker.policy.standing import next_change_at, standing

POLICY = recommended_policy()


def folded(*events: FeedbackEvent) -> Facts:
    return fold_all(Facts(), events, POLICY)


def test_an_untouched_contact_is_new_and_nothing_began() -> None:
    one = standing(Facts(), POLICY, START)
    assert (one.status, one.blocks, one.since, one.until) == (Status.NEW, Blocks.NONE, None, None)


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.OPENED, Kind.CLICKED])
def test_a_sign_of_life_makes_active_and_nothing_began(kind: Kind) -> None:
    one = standing(folded(make_event(kind, day=2)), POLICY, day(3))
    assert (one.status, one.blocks, one.since) == (Status.ACTIVE, Blocks.NONE, None)


def test_a_clock_behind_the_one_that_dated_the_bounce_sees_the_block_all_the_same() -> None:
    one = standing(folded(hard(0)), POLICY, START - timedelta(seconds=2))
    assert (one.status, one.blocks) == (Status.BLOCKLISTED, Blocks.ALL)


def test_a_pending_strike_shows_soft_bouncing_and_forbids_nothing() -> None:
    first, second = soft(1), soft(3)
    one = standing(folded(delivered(0), first, second), POLICY, day(4))
    assert (one.status, one.blocks) == (Status.SOFT_BOUNCING, Blocks.NONE)
    assert (one.since, one.rule, one.cause) == (day(1), "mailbox_full", Cause.MAILBOX_FULL)
    assert one.event_key == second.event_key


def test_soft_bouncing_ends_by_itself_when_the_last_strike_leaves_the_window() -> None:
    facts = folded(delivered(0), soft(1), soft(3))
    assert standing(facts, POLICY, day(4)).until == day(183)
    assert next_change_at(facts, POLICY, day(4)) == day(183)
    assert standing(facts, POLICY, day(183) - timedelta(microseconds=1)).status is Status.SOFT_BOUNCING
    assert standing(facts, POLICY, day(183)).status is Status.ACTIVE
    assert next_change_at(facts, POLICY, day(183)) is None


def test_an_excused_strike_is_not_pending() -> None:
    assert standing(folded(soft(1), delivered(2, "other")), POLICY, day(3)).status is Status.ACTIVE


def test_the_gravest_fact_is_shown_whatever_came_last() -> None:
    unsubscribed = make_event(Kind.UNSUBSCRIBE, day=1)
    complaint = make_event(Kind.COMPLAINT, day=0, cause=Cause.ABUSE_REPORT)
    gone = hard(2)
    assert standing(folded(unsubscribed, soft(2)), POLICY, day(9)).status is Status.UNSUBSCRIBED
    assert standing(folded(unsubscribed, gone), POLICY, day(9)).status is Status.BLOCKLISTED
    assert standing(folded(complaint, unsubscribed, gone), POLICY, day(9)).status is Status.COMPLAINED


def test_what_is_forbidden_is_the_union_while_until_is_the_shown_facts_own() -> None:
    policy = load_policy(
        {
            "preset": "none",
            "complaint_applies_to": "marketing",
            "rules": {"dead": {"causes": ["@hard"], "action": "hold", "hold_ladder": ["10d"], "status": "blocklisted"}},
        }
    )
    facts = fold_all(Facts(), [make_event(Kind.COMPLAINT, day=0), hard(1)], policy)
    during, after = standing(facts, policy, day(2)), standing(facts, policy, day(11))
    assert (during.status, during.blocks, during.until) == (Status.COMPLAINED, Blocks.ALL, None)
    assert (after.status, after.blocks, after.until) == (Status.COMPLAINED, Blocks.MARKETING, None)
    assert next_change_at(facts, policy, day(2)) == day(11)


def test_of_two_blocks_of_one_status_the_one_that_lasts_longest_is_shown() -> None:
    policy = load_policy(
        {
            "preset": "none",
            "rules": {
                "full": {"causes": ["@mailbox_full"], "action": "hold", "hold_ladder": ["10d"]},
                "down": {"causes": ["@temporary"], "action": "hold", "hold_ladder": ["20d"]},
            },
        }
    )
    facts = fold_all(Facts(), [soft(0), soft(1, cause=Cause.SERVER_UNAVAILABLE)], policy)
    assert (standing(facts, policy, day(2)).rule, standing(facts, policy, day(2)).until) == ("down", day(21))
    assert next_change_at(facts, policy, day(2)) == day(21)  # the end of the shorter one changes nothing


def test_a_hold_uncovers_the_opt_out_beneath_it() -> None:
    policy = one_rule(strikes=1, action="hold", hold_ladder=["10d"])
    facts = fold_all(Facts(), [make_event(Kind.UNSUBSCRIBE, day=0), soft(1)], policy)
    assert standing(facts, policy, day(2)).status is Status.MULTIPLE_SOFT_BOUNCES
    after = standing(facts, policy, day(11))
    assert (after.status, after.since) == (Status.UNSUBSCRIBED, day(0))


def test_a_contact_over_a_year_goes_through_the_ladder_and_out_again() -> None:
    weekly = [soft(week * 7) for week in range(5)]
    facts = folded(delivered(-1), *weekly)
    rounds = {
        27: Status.SOFT_BOUNCING,
        28: Status.MULTIPLE_SOFT_BOUNCES,
        57: Status.MULTIPLE_SOFT_BOUNCES,
        58: Status.ACTIVE,
    }
    for number, status in rounds.items():
        so_far = folded(delivered(-1), *[event for event in weekly if event.occurred_at <= day(number)])
        assert standing(so_far, POLICY, day(number)).status is status
    again = folded(delivered(-1), *weekly, soft(60))
    assert standing(again, POLICY, day(61)).until == day(150)
    for_good = folded(delivered(-1), *weekly, soft(60), soft(151))
    assert standing(for_good, POLICY, day(152)).until is None
    assert standing(facts, POLICY, day(365)).status is Status.ACTIVE


def test_strikes_of_a_rule_that_the_policy_no_longer_has_are_not_pending() -> None:
    facts = fold_all(Facts(), [soft(0)], one_rule(strikes=3))
    assert standing(facts, preset("provider"), day(1)).status is Status.NEW
    assert next_change_at(facts, preset("provider"), day(1)) is None


@settings(max_examples=examples(200))
@given(events=histories(max_size=24))
def test_every_status_has_a_beginning_but_the_free_ones(events: list[FeedbackEvent]) -> None:
    for policy in (POLICY, preset("ladder")):
        one = standing(fold_all(Facts(), events, policy), policy, START + timedelta(days=301))
        assert (one.since is None) == (one.status in FREE_STATUSES)


@settings(max_examples=examples(200))
@given(events=histories(max_size=24))
def test_nothing_changes_before_the_next_change_and_something_does_at_it(events: list[FeedbackEvent]) -> None:
    policy = preset("ladder")
    facts = fold_all(Facts(), events, policy)
    at = START + timedelta(days=301)
    while (change := next_change_at(facts, policy, at)) is not None:
        assert change > at
        before = standing(facts, policy, at)
        assert standing(facts, policy, change - timedelta(microseconds=1)) == before
        assert standing(facts, policy, change) != before
        at = change
    assert standing(facts, policy, at + timedelta(days=9999)) == standing(facts, policy, at)


def test_what_lifts_it_is_explained_in_a_sentence() -> None:
    blocked = lifts(standing(folded(hard(0)), POLICY, day(1)))
    assert blocked == (
        "It lasts until it is lifted by a new opt-in that the person has confirmed or an operator, with a reason."
    )
    held = folded(hard(0, cause=Cause.DOMAIN_ACCEPTS_NO_MAIL))
    assert lifts(standing(held, POLICY, day(1))) == (
        "It ends by itself on 2027-03-01 12:00 UTC, or earlier by an operator, with a reason."
    )
    out = folded(make_event(Kind.UNSUBSCRIBE))
    assert lifts(standing(out, POLICY, day(1))) == "The person can subscribe again; nothing else lifts it."
    pending = folded(opened(-1), soft(0))
    assert lifts(standing(pending, POLICY, day(1))) == (
        "Nothing is blocked; without another failure the strikes end on 2026-08-28 12:00 UTC."
    )
    assert lifts(standing(Facts(), POLICY, START)) == "Nothing is blocked."

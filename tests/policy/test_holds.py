"""Holds: they end by themselves, grow with repeats, and start over after a clean time."""

from datetime import timedelta

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Status
from tests.policy.rules import day, delivered, one_rule, opened, soft
from worker.policy.block import Block
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.rule import Policy
from worker.policy.standing import next_change_at, standing

LADDER = {"action": "hold", "hold_ladder": ["10d", "20d", "forever"]}
TWICE = one_rule(strikes=2, **LADDER)


def hold_after(policy: Policy, *events: FeedbackEvent) -> Block:
    (block,) = fold_all(Facts(), events, policy).deliverability.blocks
    return block


def test_a_hold_is_in_force_until_just_before_its_end() -> None:
    facts = fold_all(Facts(), [soft(0), soft(1)], TWICE)
    assert standing(facts, TWICE, day(11) - timedelta(microseconds=1)).status is Status.MULTIPLE_SOFT_BOUNCES
    assert standing(facts, TWICE, day(11)).status is Status.NEW


def test_the_end_of_a_hold_is_the_next_change_and_afterwards_there_is_none() -> None:
    facts = fold_all(Facts(), [soft(0), soft(1)], TWICE)
    assert next_change_at(facts, TWICE, day(1)) == day(11)
    assert next_change_at(facts, TWICE, day(11)) is None


def test_after_a_hold_the_contact_is_as_free_as_before() -> None:
    facts = fold_all(Facts(), [delivered(-1), soft(0), soft(1)], TWICE)
    after = standing(facts, TWICE, day(50))
    assert (after.status, after.since, after.until) == (Status.ACTIVE, None, None)


def test_a_failure_during_a_hold_neither_extends_nor_climbs() -> None:
    during = [soft(2), soft(5), soft(10.9)]
    assert hold_after(TWICE, soft(0), soft(1), *during).until == day(11)
    assert hold_after(TWICE, soft(0), soft(1), *during, soft(11)).until == day(31)


def test_after_a_hold_one_failure_begins_the_next_longer_one() -> None:
    assert hold_after(TWICE, soft(0), soft(1), soft(12)).until == day(32)


def test_the_last_rung_forever_lasts_until_lifted() -> None:
    block = hold_after(TWICE, soft(0), soft(1), soft(12), soft(33))
    assert (block.since, block.until) == (day(33), None)
    assert standing(fold_all(Facts(), [soft(0), soft(1), soft(12), soft(33)], TWICE), TWICE, day(9999)).until is None


def test_a_last_rung_that_ends_repeats() -> None:
    policy = one_rule(strikes=1, action="hold", hold_ladder=["1d", "2d"])
    assert hold_after(policy, soft(0), soft(1), soft(3), soft(5), soft(7)).until == day(9)


def test_trial_strikes_says_how_many_it_takes_after_a_hold() -> None:
    policy = one_rule(strikes=2, trial_strikes=3, **LADDER)
    began = hold_after(policy, soft(0), soft(1))
    assert hold_after(policy, soft(0), soft(1), soft(12), soft(13)) == began
    assert hold_after(policy, soft(0), soft(1), soft(12), soft(13), soft(14)).until == day(34)


def test_on_trial_neither_min_span_nor_engagement_asks_for_more() -> None:
    policy = one_rule(strikes=2, min_span="1d", engaged_extra=3, engaged_within="5d", **LADDER)
    assert hold_after(policy, soft(0), soft(1), opened(12), soft(13)).until == day(33)


def test_a_sign_of_life_after_a_hold_clears_trial_strikes_but_not_the_rung() -> None:
    policy = one_rule(strikes=2, trial_strikes=2, reset_on=["opened"], **LADDER)
    block = hold_after(policy, soft(0), soft(1), soft(12), opened(13), soft(14), soft(15))
    assert block.until == day(35)


def test_a_clean_ladder_forget_after_the_holds_end_starts_over() -> None:
    policy = one_rule(strikes=2, ladder_forget="100d", **LADDER)
    began = hold_after(policy, soft(0), soft(1))
    assert hold_after(policy, soft(0), soft(1), soft(110.9)).until == day(130.9)  # still on trial
    assert hold_after(policy, soft(0), soft(1), soft(111)) == began  # one of two
    assert hold_after(policy, soft(0), soft(1), soft(111), soft(112)).until == day(122)  # the first rung


def test_a_counted_failure_puts_ladder_forget_off() -> None:
    policy = one_rule(strikes=2, trial_strikes=2, window="20d", ladder_forget="100d", **LADDER)
    events = [soft(0), soft(1), soft(100), soft(150), soft(151)]
    assert hold_after(policy, *events).until == day(171)  # the second rung


def test_a_hold_that_a_reset_could_not_lift_still_ends_by_itself() -> None:
    policy = one_rule(strikes=1, reset_on=["opened"], **LADDER)
    facts = fold_all(Facts(), [soft(0), opened(1)], policy)
    assert standing(facts, policy, day(2)).status is Status.MULTIPLE_SOFT_BOUNCES
    assert standing(facts, policy, day(10)).status is Status.ACTIVE

"""What clears strikes: signs of life, and the trap that `delivered` only means accepted."""

import pytest

from schemas.vocabulary import Kind
from tests.policy.rules import blocked_since, delivered, hard, one_rule, opened, soft, strikes_of
from tests.schemas.feedback_events import make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import load_policy

CONSECUTIVE = one_rule(strikes=3, reset_on=["delivered"])


def test_a_delivery_of_another_message_breaks_the_row() -> None:
    assert blocked_since(CONSECUTIVE, soft(0), soft(1), delivered(2), soft(3)) is None
    assert blocked_since(CONSECUTIVE, soft(0), soft(1), soft(3)) is not None


def test_a_delivery_of_the_bounced_message_itself_resets_nothing() -> None:
    assert strikes_of(CONSECUTIVE, soft(0, "m"), delivered(1, "m")) == 1


def test_a_delivery_that_bounces_after_all_has_reset_nothing() -> None:
    # A server that accepts everything and sends a bounce mail minutes later.
    events = [event for day in range(3) for event in (delivered(day, f"m{day}"), soft(day + 0.1, f"m{day}"))]
    assert blocked_since(CONSECUTIVE, *events) == events[-1]


def test_a_delivery_that_bounces_in_another_rule_has_reset_nothing_either() -> None:
    policy = load_policy(
        {
            "preset": "none",
            "rules": {
                "full": {"causes": ["@mailbox_full"], "strikes": 3, "reset_on": ["delivered"]},
                "dead": {"causes": ["@bad_mailbox"], "strikes": 3},
            },
        }
    )
    excused = [soft(0), delivered(1, "m")]
    assert strikes_of(policy, *excused) == 0
    assert strikes_of(policy, *excused, hard(2, "m")) == 1


def test_a_delivery_whose_bounce_was_the_senders_fault_stays_a_sign_of_life() -> None:
    refused = make_event(Kind.BLOCKED, day=2, message="m")
    assert strikes_of(CONSECUTIVE, soft(0), delivered(1, "m"), refused) == 0


def test_a_second_delivered_message_clears_for_good() -> None:
    events = [soft(0), delivered(1, "m"), delivered(2, "n")]
    assert strikes_of(CONSECUTIVE, *events, soft(3, "m")) == 1  # only the new one


def test_the_same_delivery_reported_twice_is_one_delivery() -> None:
    twice = [delivered(1, "m"), make_event(Kind.DELIVERED, day=1, message="m", key="told again")]
    assert strikes_of(CONSECUTIVE, soft(0), *twice) == 0
    assert strikes_of(CONSECUTIVE, soft(0), *twice, soft(2, "m")) == 2


def test_a_delivery_without_a_message_id_clears_at_once() -> None:
    assert fold_all(Facts(), [soft(0), delivered(1, None)], CONSECUTIVE).deliverability.rules == ()


def test_a_strike_without_a_message_id_is_excused_by_any_delivery() -> None:
    assert strikes_of(CONSECUTIVE, soft(0, None), delivered(1, "m")) == 0


@pytest.mark.parametrize("kind", [Kind.OPENED, Kind.CLICKED])
def test_a_person_who_opens_or_clicks_clears_for_good(kind: Kind) -> None:
    policy = one_rule(strikes=3, reset_on=["opened", "clicked"])
    assert fold_all(Facts(), [soft(0), make_event(kind, day=1)], policy).deliverability.rules == ()


def test_a_machine_open_or_click_clears_nothing() -> None:
    policy = one_rule(strikes=3, reset_on=["opened", "clicked"])
    clicked = make_event(Kind.CLICKED, day=1, machine=True)
    assert strikes_of(policy, soft(0), opened(1, machine=True), clicked) == 1


def test_a_resubscribe_clears_where_reset_on_names_it() -> None:
    resubscribed = make_event(Kind.RESUBSCRIBE, day=1)
    assert strikes_of(one_rule(strikes=3, reset_on=["resubscribe"]), soft(0), resubscribed) == 0
    assert strikes_of(one_rule(strikes=3), soft(0), resubscribed) == 1


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.RESUBSCRIBE])
def test_without_reset_on_nothing_clears(kind: Kind) -> None:
    assert strikes_of(one_rule(strikes=3), soft(0), make_event(kind, day=1, message="other")) == 1


def test_a_sign_of_life_before_the_strike_clears_nothing() -> None:
    assert strikes_of(CONSECUTIVE, delivered(0), soft(1)) == 1


def test_an_excused_strike_does_not_count_towards_the_block() -> None:
    assert blocked_since(CONSECUTIVE, soft(0), soft(1), delivered(2, "m"), soft(3), soft(4)) is None
    assert blocked_since(CONSECUTIVE, soft(0), soft(1), delivered(2, "m"), soft(3), soft(4), soft(5)) is not None


def test_a_reset_never_lifts_a_block() -> None:
    policy = one_rule(strikes=1, reset_on=["delivered", "opened", "clicked", "resubscribe"])
    life = [delivered(1), delivered(2), opened(3), make_event(Kind.CLICKED, day=4), make_event(Kind.RESUBSCRIBE, day=5)]
    assert (
        fold_all(Facts(), [soft(0), *life], policy).deliverability.blocks
        == fold_all(Facts(), [soft(0)], policy).deliverability.blocks
    )

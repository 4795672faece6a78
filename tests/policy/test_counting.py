"""What counts as a strike, and how many strikes it takes: one test for each parameter of a rule."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from schemas.vocabulary import Cause, Kind, Status
from tests.policy.rules import blocked_since, delivered, hard, one_rule, opened, soft, strikes_of
from tests.schemas.feedback_events import START, make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import load_policy, recommended_policy
from worker.policy.standing import standing


def test_as_many_strikes_as_asked_for_begin_the_block() -> None:
    policy = one_rule(strikes=3)
    events = [soft(0), soft(1), soft(2)]
    assert blocked_since(policy, *events[:2]) is None
    assert blocked_since(policy, *events) == events[2]


def test_only_the_causes_named_count() -> None:
    policy = one_rule(strikes=2)
    assert blocked_since(policy, soft(0), soft(1, cause=Cause.SERVER_UNAVAILABLE)) is None


def test_only_the_kinds_named_count() -> None:
    policy = one_rule(kinds=["hard_bounce"])
    assert blocked_since(policy, soft(0)) is None
    assert blocked_since(policy, hard(0, cause=Cause.MAILBOX_FULL)) is not None


@pytest.mark.parametrize("kind", [Kind.DEFERRED, Kind.DROPPED, Kind.BLOCKED, Kind.ACCEPTED, Kind.OTHER])
def test_deferred_dropped_blocked_and_the_like_never_count(kind: Kind) -> None:
    policy = one_rule()
    assert fold_all(Facts(), [make_event(kind, cause=Cause.MAILBOX_FULL)], policy) == Facts()


def test_several_events_about_one_message_are_one_strike() -> None:
    policy = one_rule(strikes=2)
    assert strikes_of(policy, soft(0, "m"), soft(3, "m")) == 1


def test_failures_without_a_message_id_are_each_their_own() -> None:
    assert strikes_of(one_rule(strikes=3), soft(0, None), soft(1, None)) == 2


def test_a_failure_within_min_interval_of_the_last_strike_is_no_strike() -> None:
    policy = one_rule(strikes=5, min_interval="24h")
    assert strikes_of(policy, soft(0), soft(0.5)) == 1
    assert strikes_of(policy, soft(0), soft(1)) == 2


def test_min_interval_is_measured_from_the_last_strike_not_from_the_last_failure() -> None:
    assert strikes_of(one_rule(strikes=5, min_interval="24h"), soft(0), soft(0.9), soft(1.1)) == 2


def test_min_span_keeps_a_burst_from_blocking_until_a_later_failure_proves_it_lasting() -> None:
    policy = one_rule(strikes=3, min_span="7d", window="90d")
    burst = [soft(0), soft(0.1), soft(0.2), soft(0.3), soft(0.4)]
    assert blocked_since(policy, *burst) is None
    late = soft(7)
    assert blocked_since(policy, *burst, late) == late


def test_strikes_older_than_the_window_are_forgotten() -> None:
    policy = one_rule(strikes=2, window="32d")
    assert blocked_since(policy, soft(0), soft(32)) is None
    assert blocked_since(policy, soft(0), soft(31)) is not None


def test_a_gap_of_stale_after_forgets_all_strikes() -> None:
    policy = one_rule(strikes=3, stale_after="7d")
    assert blocked_since(policy, soft(0), soft(6), soft(12)) is not None
    assert blocked_since(policy, soft(0), soft(6), soft(13)) is None


def test_weights_add_up_instead_of_a_plain_count() -> None:
    policy = one_rule(strikes=4, weights={"soft_bounce": 1, "hard_bounce": 2})
    heavy = hard(1, cause=Cause.MAILBOX_FULL)
    assert blocked_since(policy, soft(0), heavy) is None
    assert blocked_since(policy, soft(0), heavy, soft(2)) is not None


def test_half_weights_take_twice_as_many() -> None:
    policy = one_rule(strikes=2, weights={"soft_bounce": 0.5})
    events = [soft(day) for day in range(4)]
    assert blocked_since(policy, *events[:3]) is None
    assert blocked_since(policy, *events) == events[3]


def test_tenths_add_up_to_a_whole_in_spite_of_binary_fractions() -> None:
    policy = one_rule(strikes=1, weights={"soft_bounce": 0.1})
    assert blocked_since(policy, *[soft(day) for day in range(9)]) is None
    assert blocked_since(policy, *[soft(day) for day in range(10)]) is not None


def test_an_engaged_person_has_extra_strikes() -> None:
    policy = one_rule(strikes=2, engaged_extra=2, engaged_within="10d")
    events = [opened(0), soft(1), soft(2), soft(3), soft(4)]
    assert blocked_since(policy, *events[:4]) is None
    assert blocked_since(policy, *events) == events[4]


def test_engagement_longer_ago_than_engaged_within_gives_no_extra() -> None:
    policy = one_rule(strikes=2, engaged_extra=2, engaged_within="10d")
    assert blocked_since(policy, opened(0), soft(9), soft(11)) is not None


def test_a_machine_open_is_no_engagement() -> None:
    policy = one_rule(strikes=2, engaged_extra=2, engaged_within="10d")
    assert blocked_since(policy, opened(0, machine=True), soft(1), soft(2)) is not None


def test_only_what_engaged_by_names_is_engagement() -> None:
    policy = one_rule(strikes=1, engaged_extra=1, engaged_by=["clicked"])
    assert blocked_since(policy, opened(0), soft(1)) is not None
    assert blocked_since(policy, make_event(Kind.CLICKED, day=0), soft(1)) is None


def test_the_bounced_messages_own_delivery_is_no_engagement() -> None:
    policy = one_rule(strikes=1, engaged_extra=1, engaged_by=["delivered"])
    assert blocked_since(policy, delivered(0, "m"), soft(1, "m")) is not None
    assert blocked_since(policy, delivered(0, "other"), soft(1, "m")) is None


def test_engaged_min_interval_replaces_min_interval_for_the_engaged() -> None:
    policy = one_rule(strikes=9, min_interval="1h", engaged_min_interval="3d", engaged_within="10d")
    assert strikes_of(policy, soft(0), soft(1)) == 2
    assert strikes_of(policy, opened(-1), soft(0), soft(1)) == 1


def test_an_event_older_than_max_event_age_on_arrival_is_no_strike() -> None:
    late = START + timedelta(days=14, seconds=1)
    assert fold_all(Facts(), [soft(0, received_at=late)], recommended_policy()).deliverability.rules == ()
    in_time = START + timedelta(days=14)
    assert fold_all(Facts(), [soft(0, received_at=in_time)], recommended_policy()).deliverability.rules != ()


def test_a_failure_in_our_own_json_counts_however_old_it_is() -> None:
    late = soft(0, received_at=START + timedelta(days=900), provider="bouncekeeper")
    assert fold_all(Facts(), [late], recommended_policy()).deliverability.rules != ()


def test_without_max_event_age_however_old_an_event_is_counts() -> None:
    policy = load_policy({"max_event_age": "forever"})
    assert fold_all(Facts(), [soft(0, received_at=START + timedelta(days=900))], policy).deliverability.rules != ()


def test_a_complaint_counts_however_late_it_arrives() -> None:
    complaint = make_event(Kind.COMPLAINT, received_at=START + timedelta(days=400))
    assert fold_all(Facts(), [complaint], recommended_policy()).complaint is not None


def test_an_unreadable_soft_bounce_of_the_message_delivered_last_is_an_auto_reply_and_no_strike() -> None:
    policy = one_rule(causes=["@soft"], strikes=5)
    reply = soft(1, "m", cause=Cause.UNDETERMINED)
    assert strikes_of(policy, delivered(0, "m"), reply) == 0
    assert strikes_of(policy, delivered(0, "other"), reply) == 1
    assert strikes_of(policy, delivered(0, "m"), soft(1, "m")) == 1  # a mailbox that is full says so


def test_a_rule_that_records_counts_and_shows_but_never_blocks() -> None:
    policy = one_rule(strikes=2, action="record")
    facts = fold_all(Facts(), [soft(day) for day in range(6)], policy)
    assert facts.deliverability.blocks == ()
    shown = standing(facts, policy, START + timedelta(days=6))
    assert (shown.status, shown.blocks) == (Status.SOFT_BOUNCING, "none")


def test_the_strikes_kept_are_bounded_and_the_oldest_stays() -> None:
    policy = one_rule(strikes=3, min_span="300d")
    events = [soft(day) for day in range(200)]
    (state,) = fold_all(Facts(), events, policy).deliverability.rules
    assert [strike.at - START for strike in state.strikes] == [
        timedelta(days=0),
        timedelta(days=198),
        timedelta(days=199),
    ]
    assert blocked_since(policy, *events, soft(300)) is not None


def test_a_rule_over_both_kinds_claims_hard_and_soft_alike() -> None:
    assert blocked_since(one_rule(strikes=2), soft(0), hard(1, cause=Cause.MAILBOX_FULL)) is not None


def test_strikes_of_one_rule_do_not_feed_another() -> None:
    policy = load_policy(
        {
            "preset": "none",
            "rules": {
                "full": {"causes": ["@mailbox_full"], "strikes": 2},
                "down": {"causes": ["@temporary"], "strikes": 2},
            },
        }
    )
    events = [soft(0), soft(1, cause=Cause.SERVER_UNAVAILABLE)]
    assert fold_all(Facts(), events, policy).deliverability.blocks == ()


def test_the_block_says_which_event_cause_and_rule_began_it() -> None:
    last = hard(3)
    (block,) = fold_all(Facts(), [last], recommended_policy()).deliverability.blocks
    assert (block.rule, block.cause, block.event_key) == ("bad_mailbox", last.cause, last.event_key)
    assert (block.since, block.until, block.status) == (last.occurred_at, None, Status.BLOCKLISTED)


def test_test_events_never_count() -> None:
    for kind in (Kind.HARD_BOUNCE, Kind.COMPLAINT, Kind.UNSUBSCRIBE):
        assert fold_all(Facts(), [make_event(kind, cause=Cause.TEST)], recommended_policy()) == Facts()


def test_a_policy_made_in_code_without_weights_for_its_kinds_counts_ones() -> None:
    rule = replace(one_rule(strikes=2).rules[0], weights={})
    assert strikes_of(replace(one_rule(strikes=2), rules=(rule,)), soft(0)) == 1

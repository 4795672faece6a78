"""Two bases of one contact come to what forbids in either."""

from datetime import timedelta

from schemas.vocabulary import Cause, Kind
from tests.schemas.decisions import added, listing
from tests.schemas.feedback_events import START, make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.former_base import joined
from worker.policy.policy_file import recommended_policy

POLICY = recommended_policy()


def facts(*kinds: tuple[Kind, Cause, float]) -> Facts:
    return fold_all(
        Facts(), [make_event(kind, cause=cause, day=day, message=f"m{day}") for kind, cause, day in kinds], POLICY
    )


def test_opt_outs_complaints_and_blocks_of_both_hold() -> None:
    one = facts((Kind.UNSUBSCRIBE, Cause.NONE, 1), (Kind.DELIVERED, Cause.NONE, 2))
    other = facts((Kind.COMPLAINT, Cause.ABUSE_REPORT, 3), (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, 4))
    for both in (joined(one, other), joined(other, one)):
        assert [optout.scope for optout in both.consent.optouts] == [""]
        assert both.complaint == other.complaint
        assert both.deliverability.blocks == other.deliverability.blocks
        assert both.engagement.last_delivered_at == START + timedelta(days=2)
        assert both.latest == other.latest


def test_listings_and_unknown_permissions_of_both_hold() -> None:
    one, other = fold_all(Facts(), [added(1), listing(3)], POLICY), fold_all(Facts(), [listing(2)], POLICY)
    for both in (joined(one, other), joined(other, one)):
        assert [entry.since for entry in both.deliverability.listings] == [
            START + timedelta(days=2),
            START + timedelta(days=3),
        ]
        assert both.consent.unknown == one.consent.unknown


def test_strikes_of_both_count_each_once() -> None:
    full = Cause.MAILBOX_FULL
    one = facts((Kind.SOFT_BOUNCE, full, 0), (Kind.SOFT_BOUNCE, full, 4))
    other = facts((Kind.SOFT_BOUNCE, full, 4), (Kind.SOFT_BOUNCE, full, 8))
    (state,) = joined(one, other).deliverability.rules
    assert [strike.at for strike in state.strikes] == [START + timedelta(days=day) for day in (0, 4, 8)]
    assert state.last_strike_at == START + timedelta(days=8)


def test_nothing_known_adds_nothing() -> None:
    one = facts((Kind.UNSUBSCRIBE, Cause.NONE, 1), (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL, 4))
    assert joined(one, Facts()) == joined(Facts(), one) == one

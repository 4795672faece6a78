"""The order of events of one instant is part of what is stored: no rank ever changes."""

from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Kind


def test_every_kind_has_the_rank_that_it_was_given_once() -> None:
    assert KIND_RANKS == {
        Kind.ACCEPTED: 0,
        Kind.DEFERRED: 10,
        Kind.DELIVERED: 20,
        Kind.SOFT_BOUNCE: 30,
        Kind.HARD_BOUNCE: 40,
        Kind.BLOCKED: 50,
        Kind.DROPPED: 60,
        Kind.OPENED: 70,
        Kind.CLICKED: 80,
        Kind.UNSUBSCRIBE: 90,
        Kind.RESUBSCRIBE: 100,
        Kind.COMPLAINT: 110,
        Kind.OTHER: 120,
        Kind.PREFERS_FEWER: 130,
        Kind.DECLINES_COMMERCIAL: 140,
        Kind.FORBIDS_CONTACT: 150,
    }


def test_every_kind_has_a_rank_and_no_two_share_one() -> None:
    assert set(KIND_RANKS) == set(Kind)
    assert len(set(KIND_RANKS.values())) == len(KIND_RANKS)

"""The order among events of one contact that happened at the same instant: the lower rank comes first.

The ranks follow a message's life, so that a delivery and the click on it keep their natural order within a second.
Stored data depend on them: a rank never changes, and no two kinds share one. tests/schemas/test_kind_rank.py pins
them. The gaps leave room for new kinds.
"""

from schemas.vocabulary import Kind

KIND_RANKS: dict[Kind, int] = {
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


def rank_in_former_key(event_key: bytes) -> int | None:
    """The rank in a key of the former form, which begins with the kind's place; None for any other key."""
    place = event_key[0]
    return place * 10 if place < _FORMER_PLACES else None


_FORMER_PLACES = 0x80  # the first byte of today's keys: worker.providers.payload.event_key.KEY_FORM

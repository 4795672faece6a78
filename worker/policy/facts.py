"""What is known of one contact, each fact with its own time. The status is derived from these."""

from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import Blocks, Cause, Kind, Status
from worker.policy.rule import LiftBy


class OrderKey(Struct, frozen=True, order=True, gc=False, array_like=True):
    """An event's place in its contact's history."""

    occurred_at: datetime
    rank: int  # of its kind: schemas.kind_rank
    event_key: bytes


class Strike(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One failure that counted."""

    at: datetime
    event_key: bytes
    kind: Kind
    cause: Cause
    message_id: str | None = None
    # Delivered afterwards: this strike is passed over, and counts again should that very message bounce.
    excused_by: str | None = None


class RuleState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a contact stands with one rule."""

    rule: str
    strikes: tuple[Strike, ...] = ()
    rung: int = 0  # how many holds of the ladder were begun
    last_strike_at: datetime | None = None  # of any counted failure, for ladder_forget and stale_after


class Block(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule's verdict. It is in force from `since` until `until` (None = until lifted)."""

    rule: str
    status: Status
    cause: Cause
    since: datetime
    until: datetime | None
    blocks: Blocks
    lift_by: frozenset[LiftBy]
    event_key: bytes  # the event that brought it about


class Optout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unsubscribe that no resubscribe has taken back. `scope` is empty for everything."""

    scope: str
    at: datetime
    event_key: bytes


class Complaint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first complaint. No event ever lowers it."""

    at: datetime
    cause: Cause
    event_key: bytes


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything the fold knows. An untouched contact is `Facts()`."""

    last_delivered_at: datetime | None = None
    last_delivered_message: str | None = None  # whose bounce may still follow
    last_opened_at: datetime | None = None  # by a person, not a machine
    last_clicked_at: datetime | None = None
    rules: tuple[RuleState, ...] = ()  # only those with something to remember, sorted by name
    blocks: tuple[Block, ...] = ()  # in force or ended; one per rule, sorted by name
    optouts: tuple[Optout, ...] = ()  # sorted by scope
    complaint: Complaint | None = None
    latest: OrderKey | None = None  # the last event folded
    latest_ordered: OrderKey | None = None  # the last one whose place in the order matters


def is_free(facts: Facts) -> bool:
    """True when nothing is known that could give the contact any but one of FREE_STATUSES, at whatever moment."""
    return not (facts.rules or facts.blocks or facts.optouts or facts.complaint)


class Standing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The status derived from facts at one moment."""

    status: Status
    blocks: Blocks
    since: datetime | None  # when it began; None for one of FREE_STATUSES
    until: datetime | None  # when it ends by itself
    cause: Cause = Cause.NONE
    rule: str | None = None
    event_key: bytes | None = None  # the event that brought it about
    lift_by: frozenset[LiftBy] = frozenset()

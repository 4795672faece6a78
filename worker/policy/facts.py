"""The facts about one contact, each with its own time. The status is derived from them."""

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
    # A message delivered afterwards: this strike does not count, unless that message bounces after all.
    excused_by: str | None = None


class RuleState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A contact's state under one rule."""

    rule: str
    strikes: tuple[Strike, ...] = ()
    rung: int = 0  # how many holds of the ladder have begun
    last_strike_at: datetime | None = None  # of any counted failure, for ladder_forget and stale_after


class Block(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A block by one rule. It is in force from `since` until `until` (None = until lifted)."""

    rule: str
    status: Status
    cause: Cause
    since: datetime
    until: datetime | None
    blocks: Blocks
    lift_by: frozenset[LiftBy]
    event_key: bytes  # the event that caused it


class Optout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unsubscribe that no resubscribe has taken back. `scope` is empty for everything."""

    scope: str
    at: datetime
    event_key: bytes


class Complaint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first complaint. No event takes it back."""

    at: datetime
    cause: Cause
    event_key: bytes


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything the fold knows. An untouched contact is `Facts()`."""

    last_delivered_at: datetime | None = None
    last_delivered_message: str | None = None  # it may still bounce
    last_opened_at: datetime | None = None  # by a person, not a machine
    last_clicked_at: datetime | None = None
    rules: tuple[RuleState, ...] = ()  # only those with something to remember, sorted by name
    blocks: tuple[Block, ...] = ()  # in force or ended; one per rule, sorted by name
    optouts: tuple[Optout, ...] = ()  # sorted by scope
    complaint: Complaint | None = None
    latest: OrderKey | None = None  # the last event folded
    latest_ordered: OrderKey | None = None  # the last ordered event (see event_order)


def is_free(facts: Facts) -> bool:
    """True if the contact has one of FREE_STATUSES at every moment."""
    return not (facts.rules or facts.blocks or facts.optouts or facts.complaint)


class Standing(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The status derived from facts at one moment."""

    status: Status
    blocks: Blocks
    since: datetime | None  # when it began; None for one of FREE_STATUSES
    until: datetime | None  # when it ends by itself
    cause: Cause = Cause.NONE
    rule: str | None = None
    event_key: bytes | None = None  # the event that caused it
    lift_by: frozenset[LiftBy] = frozenset()

"""What one event did to a contact's facts, as the fold itself saw it."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from worker.policy.event_order import Reason


class Outcome(StrEnum):
    """What an event brought about."""

    NOTHING = "nothing"  # no fact changed, or only that the event was seen
    SIGN_OF_LIFE = "sign_of_life"  # delivered, opened, clicked
    STRIKE = "strike"  # a failure was counted
    HOLD_BEGAN = "hold_began"  # a counted failure was the last one needed: blocked until a time
    BLOCK_BEGAN = "block_began"  # the same: blocked until lifted
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"


class Effect(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event's doing. `reason` is set when it did not count."""

    outcome: Outcome
    reason: Reason | None = None
    rule: str | None = None
    score: float = 0.0  # the rule's strikes, weighted, with this one
    needed: int = 0  # the score that triggers
    engaged: bool = False  # more strikes were asked for, because the person was engaged lately
    on_trial: bool = False  # fewer were, because a hold had ended
    span_missing: timedelta | None = None  # enough strikes, but still too close together
    limit: timedelta | None = None  # the interval or age that kept it from counting
    until: datetime | None = None  # the end of the hold that began, or is in force
    reset: tuple[str, ...] = ()  # rules whose strikes were cleared
    excused: tuple[str, ...] = ()  # rules whose strikes are passed over while this delivery stands
    restored: tuple[str, ...] = ()  # rules whose strikes count again: what had excused them bounced

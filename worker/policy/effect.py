"""What one event did to a contact's facts."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from worker.policy.event_order import Reason


class Outcome(StrEnum):
    """The result of an event."""

    NOTHING = "nothing"  # no fact changed, except perhaps the place of the latest event
    SIGN_OF_LIFE = "sign_of_life"  # delivered, opened, clicked
    STRIKE = "strike"  # a failure was counted
    HOLD_BEGAN = "hold_began"  # a counted failure was the last one needed: blocked for a time
    BLOCK_BEGAN = "block_began"  # a counted failure was the last one needed: blocked until lifted
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"


class Effect(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one event did. `reason` is set if it did not count."""

    outcome: Outcome
    reason: Reason | None = None
    rule: str | None = None
    score: float = 0.0  # the rule's strikes, weighted, including this one
    needed: int = 0  # the score that triggers the rule
    engaged: bool = False  # the rule needs more strikes, because the person was engaged lately
    on_trial: bool = False  # the rule needs fewer strikes, because a hold has ended
    span_missing: timedelta | None = None  # enough strikes, but still too close together
    limit: timedelta | None = None  # the interval or age because of which it did not count
    until: datetime | None = None  # the end of the hold that began, or is in force
    reset: tuple[str, ...] = ()  # rules whose strikes were cleared
    excused: tuple[str, ...] = ()  # rules whose strikes do not count, unless the delivered message bounces
    restored: tuple[str, ...] = ()  # rules whose strikes count again: the message that excused them bounced

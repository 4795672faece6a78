"""What one entry of the log did to a contact's facts."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct


class Reason(StrEnum):
    """Why an entry did not count."""

    TEST = "test"  # a sample or a message in test mode
    NO_NEWS = "no_news"  # accepted, deferred, other: nothing final about the mailbox
    ECHO = "echo"  # the ESP did not try, because of an older event
    SENDERS_FAULT = "senders_fault"  # refused because of the sender
    NO_FAILURE = "no_failure"  # an auto-reply or the like, reported as a bounce
    MACHINE = "machine"  # opened or clicked by a scanner
    NO_RULE = "no_rule"  # no rule of the policy counts this kind with this cause
    TOO_OLD = "too_old"  # arrived later after it happened than the policy allows
    LIKELY_AUTO_REPLY = "likely_auto_reply"  # an unreadable bounce of the message that was delivered last
    BLOCK_IN_FORCE = "block_in_force"  # the rule's block is in force already
    SAME_MESSAGE = "same_message"  # a failure of this message has already counted
    TOO_SOON = "too_soon"  # within min_interval of the last strike
    KNOWN_BEFORE = "known_before"  # a second complaint, or the same wish of the same scope again
    NOTHING_TO_TAKE_BACK = "nothing_to_take_back"  # a resubscribe without an opt-out
    OPTED_OUT = "opted_out"  # an opt-in that is not the person's own, though the person has opted out
    NOTHING_TO_LIFT = "nothing_to_lift"  # a lift of nothing, or of nothing that it may end
    STILL_SUPPRESSED = "still_suppressed"  # the ESP did not try, though what its list rests on has been lifted
    NOT_PERMITTED = "not_permitted"  # a decision of somebody who may not decide it
    VOIDED = "voided"  # a later decision says that it never happened
    HELD_BACK = "held_back"  # it waits for a decision


class Outcome(StrEnum):
    """The result of an entry."""

    NOTHING = "nothing"  # no fact changed, except perhaps the place of the latest event
    SIGN_OF_LIFE = "sign_of_life"  # delivered, opened, clicked
    STRIKE = "strike"  # a failure was counted
    HOLD_BEGAN = "hold_began"  # a counted failure was the last one needed: blocked for a time
    BLOCK_BEGAN = "block_began"  # a counted failure was the last one needed: blocked until lifted
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    UNSUBSCRIBED_BY_US = "unsubscribed_by_us"
    DECLINED_COMMERCIAL = "declined_commercial"
    DO_NOT_CONTACT = "do_not_contact"
    PREFERS_FEWER = "prefers_fewer"
    RESUBSCRIBED = "resubscribed"
    ADDED = "added"
    OPTED_IN = "opted_in"
    LISTED = "listed"
    LIFTED = "lifted"
    ANNOTATED = "annotated"  # it says something of other entries: voided, held back, released


class Effect(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one entry did. `reason` is set if it did not count."""

    outcome: Outcome
    reason: Reason | None = None
    rule: str | None = None
    score: float = 0.0  # the rule's strikes, weighted, including this one
    needed: int = 0  # the score that triggers the rule
    engaged: bool = False  # the rule needs more strikes, because the person was engaged lately
    on_trial: bool = False  # the rule needs fewer strikes, because a hold has ended
    stream: str = ""  # the marketing stream that a complaint is about
    span_missing: timedelta | None = None  # enough strikes, but still too close together
    limit: timedelta | None = None  # the interval or age because of which it did not count
    until: datetime | None = None  # the end of the hold that began, or is in force
    reset: tuple[str, ...] = ()  # rules whose strikes were cleared
    excused: tuple[str, ...] = ()  # rules whose strikes do not count, unless the delivered message bounces
    restored: tuple[str, ...] = ()  # rules whose strikes count again: the message that excused them bounced
    ended: tuple[str, ...] = ()  # the facts that a decision ended: "the complaint"
    kept: tuple[str, ...] = ()  # a sentence for each fact that it could not end, with what can

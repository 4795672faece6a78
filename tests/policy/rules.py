"""Short ways to write policies and failures for the tests of the policy."""

from datetime import datetime, timedelta
from typing import Any

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.schemas.feedback_events import START, make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.policy_file import load_policy
from worker.policy.rule import Policy


def day(number: float) -> datetime:
    """So many days after START: when an event of that `day` occurs."""
    return START + timedelta(days=number)


def one_rule(**keys: Any) -> Policy:
    """A policy of one rule named `full`, over a full mailbox unless `causes` says otherwise."""
    return load_policy({"preset": "none", "rules": {"full": {"causes": ["@mailbox_full"], **keys}}})


def soft(day: float, message: str | None = "", *, cause: Cause = Cause.MAILBOX_FULL, **fields: Any) -> FeedbackEvent:
    """A soft bounce of a message of its own, unless told which."""
    message = f"bounced-{day}" if message == "" else message
    return make_event(Kind.SOFT_BOUNCE, day=day, cause=cause, message=message, **fields)


def hard(day: float, message: str | None = "", *, cause: Cause = Cause.MAILBOX_DOES_NOT_EXIST) -> FeedbackEvent:
    """A hard bounce of a message of its own, unless told which."""
    message = f"bounced-{day}" if message == "" else message
    return make_event(Kind.HARD_BOUNCE, day=day, cause=cause, message=message)


def delivered(day: float, message: str | None = "") -> FeedbackEvent:
    """A delivery of a message of its own, unless told which."""
    return make_event(Kind.DELIVERED, day=day, message=f"delivered-{day}" if message == "" else message)


def opened(day: float, *, machine: bool = False) -> FeedbackEvent:
    """An open."""
    return make_event(Kind.OPENED, day=day, machine=machine)


def strikes_of(policy: Policy, *events: FeedbackEvent, rule: str = "full") -> int:
    """How many strikes stand after these events, excused ones not counted."""
    facts = fold_all(Facts(), events, policy)
    return sum(
        strike.excused_by is None
        for state in facts.deliverability.rules
        if state.rule == rule
        for strike in state.strikes
    )


def blocked_since(policy: Policy, *events: FeedbackEvent, rule: str = "full") -> FeedbackEvent | None:
    """The event that began the block in the facts after these events, or None."""
    facts = fold_all(Facts(), events, policy)
    keys = {block.event_key for block in facts.deliverability.blocks if block.rule == rule}
    return next((event for event in events if event.event_key in keys), None)

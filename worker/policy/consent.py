"""Consent: what the person asked for."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Status
from worker.policy.dimension import Standing
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.rule import LiftBy, Policy


class Optout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unsubscribe that has not been taken back. `scope` is empty for everything."""

    scope: str
    at: datetime
    event_key: bytes


class Consent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the contact's consent."""

    optouts: tuple[Optout, ...] = ()  # sorted by scope


NO_CONSENT = Consent()


def is_free(known: Consent) -> bool:
    """True if it forbids nothing under any policy."""
    return known is NO_CONSENT or not known.optouts


def after_unsubscribe(known: Consent, event: FeedbackEvent) -> tuple[Consent, Effect]:
    """The consent with one more opt-out; the first of each scope counts."""
    scope = event.scope or ""
    if any(optout.scope == scope for optout in known.optouts):
        return known, Effect(outcome=Outcome.NOTHING, reason=Reason.KNOWN_BEFORE)
    optout = Optout(scope=scope, at=event.occurred_at, event_key=event.event_key)
    optouts = tuple(sorted((*known.optouts, optout), key=lambda optout: optout.scope))
    return Consent(optouts=optouts), Effect(outcome=Outcome.UNSUBSCRIBED)


def after_resubscribe(known: Consent, event: FeedbackEvent) -> tuple[Consent, Effect]:
    """The consent after the person asked for mail again: of one scope, or of all if the event names none."""
    optouts = tuple(optout for optout in known.optouts if event.scope and optout.scope != event.scope)
    if len(optouts) == len(known.optouts):
        return known, Effect(outcome=Outcome.NOTHING, reason=Reason.NOTHING_TO_TAKE_BACK)
    return Consent(optouts=optouts), Effect(outcome=Outcome.RESUBSCRIBED)


def standings(known: Consent, policy: Policy) -> Iterator[Standing]:
    """One for each opt-out that forbids something."""
    for optout in known.optouts:
        forbids = policy.scoped_unsubscribe_applies_to if optout.scope else Blocks.MARKETING
        if forbids is not Blocks.NONE:
            yield Standing(
                status=Status.UNSUBSCRIBED,
                blocks=forbids,
                since=optout.at,
                until=None,
                event_key=optout.event_key,
                lift_by=frozenset({LiftBy.CONFIRMED_OPTIN}),
            )


def sentence(event: FeedbackEvent, outcome: Outcome) -> str:
    """What an unsubscribe or a resubscribe did."""
    if outcome is Outcome.UNSUBSCRIBED:
        return f"The person opted out of {event.scope or 'everything'}."
    return f"The person took back the opt-out of {event.scope or 'everything'}."

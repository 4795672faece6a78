"""A suppression: an ESP did not try, because the address stands on a list of its own for an older failure."""

from datetime import datetime

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause

# A lift here does not take the address from the ESP's list. Its list of unsubscribes is another matter: no lift ends
# an opt-out.
SUPPRESSION_CAUSES = frozenset({Cause.SUPPRESSED_BY_PROVIDER, Cause.COMPLAINED_AT_PROVIDER})


class Suppression(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The latest drop for the ESP's own list, unless something was delivered since."""

    at: datetime
    provider: str
    source: str
    cause: Cause
    event_key: bytes


def after_drop(known: Suppression | None, delivered_at: datetime | None, event: FeedbackEvent) -> Suppression | None:
    """The later of both, so the order of drops and deliveries does not matter."""
    at = event.occurred_at
    if delivered_at is not None and delivered_at >= at:
        return known
    if known is not None and (known.at, known.event_key) >= (at, event.event_key):
        return known
    return Suppression(
        at=at, provider=event.provider, source=event.source, cause=event.cause, event_key=event.event_key
    )


def remedy(provider: str, source: str) -> str:
    """What to do about it."""
    return f"remove the address from the suppression list at {provider} (source {source})"

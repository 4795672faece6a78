"""Which events' own words are kept: the setting `processor.keep_raw`."""

from enum import StrEnum

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind


class KeepRaw(StrEnum):
    """Whose bytes, as the vendor wrote them, are stored with the event as it was read."""

    FAILURES = "failures"  # failures, complaints, and what this version does not know
    ALL = "all"
    NONE = "none"


_EVIDENCE = frozenset(
    kind.value for kind in (Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED, Kind.DROPPED, Kind.COMPLAINT)
)


def is_evidence(event: FeedbackEvent) -> bool:
    """True for failures, complaints, and what this version does not know."""
    return event.kind._value_ in _EVIDENCE or not event.recognised

"""Which events tell of a message that went to the contact. The earliest of them says since when it has been mailed.

The earliest is the same in whatever order they come in, so it is kept beside the facts and never folded anew.
"""

from collections.abc import Iterable
from datetime import datetime

from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind

# An opt-out may come from a form, what was dropped was never sent, and nobody knows what is `other`.
MESSAGE_KINDS = frozenset(
    {
        Kind.ACCEPTED,
        Kind.DEFERRED,
        Kind.DELIVERED,
        Kind.SOFT_BOUNCE,
        Kind.HARD_BOUNCE,
        Kind.BLOCKED,
        Kind.OPENED,
        Kind.CLICKED,
        Kind.COMPLAINT,
    }
)


def first_mailed(known: datetime | None, entries: Iterable[Entry]) -> datetime | None:
    """The earlier of what is known and of what the entries tell; `known` itself if they tell of nothing earlier."""
    for entry in entries:
        if (known is None or entry.occurred_at < known) and _tells_of_a_message(entry):
            known = entry.occurred_at
    return known


def _tells_of_a_message(entry: Entry) -> bool:
    return isinstance(entry, FeedbackEvent) and entry.kind in MESSAGE_KINDS and entry.cause is not Cause.TEST

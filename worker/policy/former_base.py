"""A base: what a former version knew of a contact before its oldest event, whose older events are gone.

None is made any more. Where a contact has one, its events are folded onto it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.rule import Policy

# A base says what its events came to, and not in which order: an opt-in may be older than an opt-out in it. So of
# events that come in after it was made only those are added that forbid.
_RESTRICTIVE = frozenset({Kind.UNSUBSCRIBE, Kind.COMPLAINT})


def since(events: Iterable[FeedbackEvent], base_until: datetime) -> list[FeedbackEvent]:
    """Those of the events that the base does not hold."""
    return [event for event in events if event.occurred_at >= base_until]


def with_late(base: Facts, base_until: datetime, new: Sequence[FeedbackEvent], policy: Policy) -> Facts:
    """The base with those of the new events that belong into it; itself when none does."""
    late = [event for event in new if event.occurred_at < base_until and event.kind in _RESTRICTIVE]
    return fold_all(base, late, policy) if late else base

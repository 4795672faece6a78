"""An entry of a contact's log: what an ESP reported, or what was decided."""

from schemas.decision import DECISION_RANKS, Decision, DecisionKind
from schemas.feedback_event import FeedbackEvent
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Kind

Entry = FeedbackEvent | Decision
EntryKind = Kind | DecisionKind

# The order among entries of the same instant: the lower rank comes first. Stored data depend on it.
ENTRY_RANKS: dict[EntryKind, int] = dict[EntryKind, int](KIND_RANKS.items()) | dict(DECISION_RANKS.items())

# What takes effect in its order. It stays as long as its contact; all else is calm, and is thinned out when it is old.
# The sort depends on the kind alone, so that an entry's table follows from what it is read as.
LASTING_KINDS: frozenset[EntryKind] = frozenset(
    {
        Kind.SOFT_BOUNCE,
        Kind.HARD_BOUNCE,
        Kind.BLOCKED,
        Kind.DROPPED,
        Kind.UNSUBSCRIBE,
        Kind.RESUBSCRIBE,
        Kind.COMPLAINT,
        Kind.PREFERS_FEWER,
        Kind.DECLINES_COMMERCIAL,
        Kind.FORBIDS_CONTACT,
        *DecisionKind,
    }
)

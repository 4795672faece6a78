"""An entry of a contact's log: what an ESP reported, or what was decided."""

from schemas.decision import DECISION_RANKS, Decision, DecisionKind
from schemas.feedback_event import FeedbackEvent
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Kind

Entry = FeedbackEvent | Decision
EntryKind = Kind | DecisionKind

# The order among entries of the same instant: the lower rank comes first. Stored data depend on it.
ENTRY_RANKS: dict[EntryKind, int] = dict[EntryKind, int](KIND_RANKS.items()) | dict(DECISION_RANKS.items())

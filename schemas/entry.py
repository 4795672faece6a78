"""An entry of a contact's log: what an ESP reported, or what was decided."""

from schemas.decision import Decision, DecisionKind
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind

Entry = FeedbackEvent | Decision
EntryKind = Kind | DecisionKind

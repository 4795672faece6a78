"""The items of a contact's explanation: single events, single decisions, and long stretches of calm events."""

from datetime import datetime

from msgspec import Struct

from schemas.decision import Decision
from schemas.entry import Entry, EntryKind
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, MailClass, Status
from worker.contacts.decision_view import DecisionView, decision_view
from worker.contacts.report import EventView, event_view
from worker.policy.explain import Passed, step
from worker.policy.rule import Policy
from worker.policy.sentences import stretch_sentence
from worker.policy.standing import standing
from worker.policy.story import Stretch


class StepView(Struct, frozen=True, kw_only=True, tag_field="type", tag="step"):
    """One event or one decision, and its effect."""

    event: EventView | None
    decision: DecisionView | None
    outcome: str
    not_counted: str | None  # why it did not count
    rule: str | None
    status: Status  # right after it
    blocks: Blocks
    forbids: tuple[MailClass, ...]
    sentence: str


class StretchView(Struct, frozen=True, kw_only=True, tag_field="type", tag="stretch"):
    """Calm events in a row without any effect but a sign of life."""

    first_at: datetime
    last_at: datetime
    counts: dict[str, int]  # by kind
    status: Status  # right after the last one
    blocks: Blocks
    forbids: tuple[MailClass, ...]
    sentence: str


StoryItem = StepView | StretchView


def stretch_view(stretch: Stretch, policy: Policy) -> StretchView:
    """The stretch as the API shows it."""
    then = standing(stretch.facts, policy, stretch.last_at)
    counts: dict[EntryKind, int] = dict(sorted(stretch.counts.items(), key=lambda one: (-one[1], one[0].value)))
    return StretchView(
        first_at=stretch.first_at,
        last_at=stretch.last_at,
        counts={kind.value: count for kind, count in counts.items()},
        status=then.status,
        blocks=then.blocks,
        forbids=then.blocks.classes,
        sentence=stretch_sentence(counts, stretch.first_at, stretch.last_at),
    )


def step_view(passed: Passed, whole: Entry, policy: Policy) -> StepView:
    """The step as the API shows it. `whole` is its whole stored entry."""
    result = step(passed, policy)
    return StepView(
        event=event_view(whole) if isinstance(whole, FeedbackEvent) else None,
        decision=decision_view(whole) if isinstance(whole, Decision) else None,
        outcome=result.effect.outcome,
        not_counted=result.effect.reason,
        rule=result.effect.rule,
        status=result.status,
        blocks=result.blocks,
        forbids=result.blocks.classes,
        sentence=result.sentence,
    )

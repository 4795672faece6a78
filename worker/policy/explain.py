"""Why a contact has its status: its events, one by one, each with its effect. The fold itself reports the effects."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Kind, Status
from worker.policy.dimension import Standing
from worker.policy.effect import Effect
from worker.policy.facts import Facts
from worker.policy.fold import apply, in_order
from worker.policy.rule import Policy
from worker.policy.sentences import effect_sentence, lifts, standing_sentence
from worker.policy.standing import next_change_at, standing

_UNTOUCHED = Facts()


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event and what it did."""

    event_key: bytes
    occurred_at: datetime
    kind: Kind
    cause: Cause
    message_id: str | None = None
    diagnostic: str | None = None  # the server's own words
    effect: Effect
    status: Status  # right after the event
    blocks: Blocks
    sentence: str


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All events up to a moment, and the status that follows."""

    at: datetime
    steps: tuple[Step, ...]
    facts: Facts
    standing: Standing
    next_change_at: datetime | None
    sentence: str  # the standing, for a person
    lifts: str  # what ends it, for a person


def explain(events: Iterable[FeedbackEvent], policy: Policy, at: datetime, base: Facts = _UNTOUCHED) -> Explanation:
    """Folds the events up to `at` again, in their order, from `base`, and says what each did."""
    facts = base
    steps = []
    for event in in_order(event for event in events if event.occurred_at <= at):
        facts, effect = apply(facts, event, policy)
        then = standing(facts, policy, event.occurred_at)
        steps.append(
            Step(
                event_key=event.event_key,
                occurred_at=event.occurred_at,
                kind=event.kind,
                cause=event.cause,
                message_id=event.message_id,
                diagnostic=event.diagnostic,
                effect=effect,
                status=then.status,
                blocks=then.blocks,
                sentence=effect_sentence(event, effect),
            )
        )
    now = standing(facts, policy, at)
    return Explanation(
        at=at,
        steps=tuple(steps),
        facts=facts,
        standing=now,
        next_change_at=next_change_at(facts, policy, at),
        sentence=standing_sentence(now),
        lifts=lifts(now),
    )

"""Why a contact has its status: the entries of its log one by one, each with the effect that the fold reports."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from schemas.decision import Decision
from schemas.entry import Entry, EntryKind
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Status
from worker.policy.annotations import Annotations, annotations
from worker.policy.dimension import Standing
from worker.policy.effect import Effect
from worker.policy.facts import Facts
from worker.policy.fold import apply, in_order, pass_over
from worker.policy.rule import Policy
from worker.policy.sentences import effect_sentence, lifts, out_effect, out_sentence, standing_sentence
from worker.policy.standing import next_change_at, standing

_UNTOUCHED = Facts()


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry and what it did."""

    event_key: bytes
    occurred_at: datetime
    kind: EntryKind
    cause: Cause
    message_id: str | None = None
    diagnostic: str | None = None  # the server's own words
    effect: Effect
    status: Status  # right after the entry
    blocks: Blocks
    sentence: str


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All entries up to a moment, and the status that follows."""

    at: datetime
    steps: tuple[Step, ...]
    facts: Facts
    standing: Standing
    next_change_at: datetime | None
    sentence: str  # the standing, for a person
    lifts: str  # what ends it, for a person


class Passed(Struct, frozen=True, kw_only=True):
    """One entry that was folded or passed over, and the facts after it."""

    entry: Entry
    annotation: Decision | None  # because of which it was not folded
    effect: Effect
    facts: Facts


def go_on(facts: Facts, entry: Entry, known: Annotations, policy: Policy) -> Passed:
    """Goes on by the next entry of the log."""
    annotation = known.out(entry)
    if annotation is None:
        facts, effect = apply(facts, entry, policy)
    else:
        facts, effect = pass_over(facts, entry), out_effect(annotation)
    return Passed(entry=entry, annotation=annotation, effect=effect, facts=facts)


def step(passed: Passed, policy: Policy) -> Step:
    """What is told of the entry."""
    entry = passed.entry
    then = standing(passed.facts, policy, entry.occurred_at)
    return Step(
        event_key=entry.event_key,
        occurred_at=entry.occurred_at,
        kind=entry.kind,
        cause=entry.cause,
        message_id=entry.message_id if isinstance(entry, FeedbackEvent) else None,
        diagnostic=entry.diagnostic if isinstance(entry, FeedbackEvent) else None,
        effect=passed.effect,
        status=then.status,
        blocks=then.blocks,
        sentence=(
            effect_sentence(entry, passed.effect) if passed.annotation is None else out_sentence(passed.annotation)
        ),
    )


def explain(entries: Iterable[Entry], policy: Policy, at: datetime, base: Facts = _UNTOUCHED) -> Explanation:
    """Folds the entries up to `at` again, in their order, from `base`, and says what each did.

    An entry that a decision up to `at` voids or holds back is a step without effect, and names the decision.
    """
    facts = base
    steps = []
    ordered = in_order(entry for entry in entries if entry.occurred_at <= at)
    known = annotations(ordered)
    for entry in ordered:
        passed = go_on(facts, entry, known, policy)
        steps.append(step(passed, policy))
        facts = passed.facts
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

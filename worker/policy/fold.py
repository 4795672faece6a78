"""`fold(facts, event, policy) -> facts`: the facts after one more event. Pure.

Events are folded in the order (occurred_at, rank, event_key). `can_fold_directly` says which events may be folded as
they arrive without changing the result; event_order.py says why.
"""

from collections.abc import Iterable
from typing import assert_never

from msgspec.structs import replace

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.policy import consent, deliverability, engagement
from worker.policy.complaint import Complaint, after_complaint
from worker.policy.consent import Consent
from worker.policy.deliverability import NO_FAILURES, Deliverability
from worker.policy.effect import Effect, Outcome
from worker.policy.event_order import (
    CALM_KINDS,
    can_fold_directly,
    inert_reason,
    is_inert,
    order_key,
)
from worker.policy.facts import Facts, OrderKey
from worker.policy.rule import Policy

__all__ = ["apply", "can_fold_directly", "fold", "fold_all", "is_inert"]


def fold(facts: Facts, event: FeedbackEvent, policy: Policy) -> Facts:
    """The facts after this event; the same object if nothing changed.

    A resubscribe without a scope takes back every opt-out, one with a scope only that scope's.
    """
    known = facts.deliverability
    if (known is NO_FAILURES or not known.rules) and event.kind in CALM_KINDS:
        # Nearly every event is a sign of life of a contact without strikes: there is nothing to clear or to excuse,
        # and `apply` would move the times as well, after it had asked the policy and made an effect that nobody reads.
        return facts if inert_reason(event) is not None else _move_times(facts, event, known)
    return apply(facts, event, policy)[0]


def fold_all(facts: Facts, events: Iterable[FeedbackEvent], policy: Policy) -> Facts:
    """The facts after all these events. Sorts them first; repeats count once."""
    for event in in_order(events):
        facts = fold(facts, event, policy)
    return facts


def in_order(events: Iterable[FeedbackEvent]) -> list[FeedbackEvent]:
    """The events in the order of folding, each key once (the earliest event of each key)."""
    first_of: dict[bytes, FeedbackEvent] = {}
    for event in sorted(events, key=order_key):
        first_of.setdefault(event.event_key, event)
    return list(first_of.values())


def apply(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    """The facts after this event, and its effect. `fold` and `explain` both use this."""
    reason = inert_reason(event)
    if reason is not None:
        return facts, Effect(outcome=Outcome.NOTHING, reason=reason)
    match event.kind:
        case Kind.DELIVERED | Kind.OPENED | Kind.CLICKED:
            return _sign_of_life(facts, event, policy)
        case Kind.SOFT_BOUNCE | Kind.HARD_BOUNCE:
            return _bounce(facts, event, policy)
        case Kind.COMPLAINT:
            return _complaint(facts, event)
        case Kind.UNSUBSCRIBE:
            return _unsubscribe(facts, event)
        case Kind.RESUBSCRIBE:
            return _resubscribe(facts, event, policy)
        case Kind.ACCEPTED | Kind.DEFERRED | Kind.BLOCKED | Kind.DROPPED | Kind.OTHER:
            raise AssertionError(f"inert_reason must have a reason for {event.kind.value}: it never changes facts")
        case _:
            assert_never(event.kind)


def _sign_of_life(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    known, effect = deliverability.after_sign_of_life(facts.deliverability, event, policy)
    return _move_times(facts, event, known), effect


def _move_times(facts: Facts, event: FeedbackEvent, known: Deliverability) -> Facts:
    """Moves each time to the latest one, so the order of calm events does not matter."""
    moved = engagement.after_sign_of_life(facts.engagement, event)
    latest, at = facts.latest, event.occurred_at
    if latest is None or at > latest.occurred_at or (at == latest.occurred_at and order_key(event) > latest):
        latest = order_key(event)
    elif moved is facts.engagement and known is facts.deliverability:
        return facts
    return Facts(
        engagement=moved,
        deliverability=known,
        consent=facts.consent,
        complaint=facts.complaint,
        latest=latest,
        latest_ordered=facts.latest_ordered,
    )


def _bounce(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    known, effect = deliverability.after_bounce(facts.deliverability, facts.engagement, event, policy)
    return _in_its_place(facts, event, deliverability=known), effect


def _complaint(facts: Facts, event: FeedbackEvent) -> tuple[Facts, Effect]:
    complaint, effect = after_complaint(facts.complaint, event)
    return _in_its_place(facts, event, complaint=complaint), effect


def _unsubscribe(facts: Facts, event: FeedbackEvent) -> tuple[Facts, Effect]:
    known, effect = consent.after_unsubscribe(facts.consent, event)
    return _in_its_place(facts, event, consent=known), effect


def _resubscribe(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    agreed, effect = consent.after_resubscribe(facts.consent, event)
    known, reset = deliverability.after_resubscribe(facts.deliverability, policy)
    return _in_its_place(facts, event, consent=agreed, deliverability=known), replace(effect, reset=reset)


def _in_its_place(
    facts: Facts,
    event: FeedbackEvent,
    *,
    deliverability: Deliverability | None = None,
    consent: Consent | None = None,
    complaint: Complaint | None = None,
) -> Facts:
    """The facts with these changes, after an ordered event."""
    key = order_key(event)
    return Facts(
        engagement=facts.engagement,
        deliverability=facts.deliverability if deliverability is None else deliverability,
        consent=facts.consent if consent is None else consent,
        complaint=facts.complaint if complaint is None else complaint,
        latest=_later(facts.latest, key),
        latest_ordered=_later(facts.latest_ordered, key),
    )


def _later(known: OrderKey | None, key: OrderKey) -> OrderKey:
    return key if known is None or key > known else known

"""`fold(facts, entry, policy) -> facts`: the facts after one more entry of the log. Pure.

Entries are folded in the order (occurred_at, rank, event_key). `can_fold_directly` says which of them may be folded as
they arrive without changing the result; event_order.py says why. annotations.py says which are folded at all.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from schemas.decision import Decision, DecisionKind
from schemas.entry import ENTRY_RANKS, Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.policy import complaint, consent, deliverability, engagement
from worker.policy.annotations import NO_ANNOTATIONS, annotations
from worker.policy.complaint import Complaint
from worker.policy.consent import Consent
from worker.policy.deliverability import NO_FAILURES, Deliverability
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.ending import Ending, together
from worker.policy.event_order import CALM_KINDS, can_fold_directly, inert_reason, is_inert, is_ordered, order_key
from worker.policy.facts import Facts, OrderKey
from worker.policy.permissions import may_decide
from worker.policy.rule import Policy

__all__ = ["apply", "can_fold_directly", "fold", "fold_all", "in_order", "is_inert", "pass_over"]


def fold(facts: Facts, entry: Entry, policy: Policy) -> Facts:
    """The facts after this entry; the same object if nothing changed."""
    known = facts.deliverability
    if entry.kind in CALM_KINDS and (known is NO_FAILURES or not (known.rules or known.suppression)):
        # Nearly every entry is a sign of life of a contact without strikes: there is nothing to clear or to excuse,
        # and `apply` would move the times as well, after it had asked the policy and made an effect that nobody reads.
        if TYPE_CHECKING:
            assert isinstance(entry, FeedbackEvent)
        return facts if inert_reason(entry) is not None else _move_times(facts, entry, known)
    return apply(facts, entry, policy)[0]


def fold_all(facts: Facts, entries: Iterable[Entry], policy: Policy) -> Facts:
    """The facts after all these entries. Sorts them first, and heeds their annotations; repeats count once."""
    ordered = in_order(entries)
    known = annotations(ordered)
    if known is NO_ANNOTATIONS:
        for entry in ordered:
            facts = fold(facts, entry, policy)
        return facts
    for entry in ordered:
        facts = fold(facts, entry, policy) if known.out(entry) is None else pass_over(facts, entry)
    arrived = {entry.event_key for entry in ordered}
    return replace(facts, awaited=tuple(sorted((known.named() | set(facts.awaited)) - arrived)))


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """The entries in the order of folding, each key once (the earliest entry of each key)."""
    several = list(entries)
    if len(several) == 1:
        return several  # as nearly always
    first_of: dict[bytes, Entry] = {}
    for entry in sorted(several, key=order_key):
        first_of.setdefault(entry.event_key, entry)
    return list(first_of.values())


def pass_over(facts: Facts, entry: Entry) -> Facts:
    """The facts after an entry that is not folded: only its place is noted."""
    if is_inert(entry):
        return facts
    if is_ordered(entry):
        return _in_its_place(facts, entry)
    return replace(facts, latest=_later(facts.latest, order_key(entry)))


def apply(facts: Facts, entry: Entry, policy: Policy) -> tuple[Facts, Effect]:
    """The facts after this entry, and its effect. `fold` and `explain` both use this."""
    if isinstance(entry, Decision):
        if not may_decide(entry):
            return _in_its_place(facts, entry), Effect(outcome=Outcome.NOTHING, reason=Reason.NOT_PERMITTED)
        return _apply_decision(facts, entry, policy)
    reason = inert_reason(entry)
    if reason is not None:
        return facts, Effect(outcome=Outcome.NOTHING, reason=reason)
    return _apply_event(facts, entry, policy)


def _apply_event(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    match event.kind:
        case Kind.DELIVERED | Kind.OPENED | Kind.CLICKED:
            return _sign_of_life(facts, event, policy)
        case Kind.SOFT_BOUNCE | Kind.HARD_BOUNCE:
            return _bounce(facts, event, policy)
        case Kind.DROPPED:
            return _drop(facts, event)
        case Kind.COMPLAINT:
            return _complaint(facts, event, policy)
        case Kind.UNSUBSCRIBE | Kind.PREFERS_FEWER | Kind.DECLINES_COMMERCIAL | Kind.FORBIDS_CONTACT:
            return _wish(facts, event)
        case Kind.RESUBSCRIBE:
            return _resubscribe(facts, event, policy)
        case Kind.ACCEPTED | Kind.DEFERRED | Kind.BLOCKED | Kind.OTHER:
            raise AssertionError(f"inert_reason must have a reason for {event.kind.value}: it never changes facts")
        case _:
            assert_never(event.kind)


def _apply_decision(facts: Facts, decision: Decision, policy: Policy) -> tuple[Facts, Effect]:
    match decision.kind:
        case DecisionKind.ADDED:
            agreed, effect = consent.after_added(facts.consent, decision)
            return _in_its_place(facts, decision, consent=agreed), effect
        case DecisionKind.OPTED_IN:
            return _optin(facts, decision, policy)
        case DecisionKind.LIFTED:
            return _lift(facts, decision, policy)
        case (
            DecisionKind.UNSUBSCRIBED
            | DecisionKind.UNSUBSCRIBED_BY_US
            | DecisionKind.DECLINED_COMMERCIAL
            | DecisionKind.DO_NOT_CONTACT
        ):
            return _wish(facts, decision)
        case DecisionKind.LISTED:
            known, effect = deliverability.after_listing(facts.deliverability, decision)
            return _in_its_place(facts, decision, deliverability=known), effect
        case DecisionKind.VOIDED | DecisionKind.HELD_BACK | DecisionKind.RELEASED:
            return _in_its_place(facts, decision), Effect(outcome=Outcome.ANNOTATED)
        case _:
            assert_never(decision.kind)


def _sign_of_life(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    known, effect = deliverability.after_sign_of_life(facts.deliverability, event, policy)
    return _move_times(facts, event, known), effect


def _move_times(facts: Facts, event: FeedbackEvent, known: Deliverability) -> Facts:
    """Moves each time to the latest one, so the order of calm events does not matter."""
    moved, latest, at = facts.engagement, facts.latest, event.occurred_at
    if latest is None or at > latest.occurred_at:
        moved = engagement.after_newest(moved, event)
        latest = OrderKey(at, ENTRY_RANKS[event.kind], event.event_key)
    else:
        moved = engagement.after_sign_of_life(moved, event)
        if at == latest.occurred_at and order_key(event) > latest:
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
        awaited=facts.awaited,
    )


def _bounce(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    known, effect = deliverability.after_bounce(facts.deliverability, facts.engagement, event, policy)
    return _in_its_place(facts, event, deliverability=known), effect


def _drop(facts: Facts, event: FeedbackEvent) -> tuple[Facts, Effect]:
    delivered_at = facts.engagement.last_delivered_at
    known, effect = deliverability.after_drop(facts.deliverability, delivered_at, facts.complaint, event)
    return replace(facts, deliverability=known, latest=_later(facts.latest, order_key(event))), effect


def _complaint(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    complained, effect = complaint.after_complaint(facts.complaint, event, policy)
    return _in_its_place(facts, event, complaint=complained), effect


def _wish(facts: Facts, entry: Entry) -> tuple[Facts, Effect]:
    known, effect = consent.after_wish(facts.consent, entry)
    return _in_its_place(facts, entry, consent=known), effect


def _resubscribe(facts: Facts, event: FeedbackEvent, policy: Policy) -> tuple[Facts, Effect]:
    agreed, ending = consent.after_optin(facts.consent, event)
    known, reset = deliverability.after_resubscribe(facts.deliverability, policy)
    after = _in_its_place(facts, event, consent=agreed, deliverability=known)
    return after, consent.resubscribed(ending, reset=reset)


def _optin(facts: Facts, decision: Decision, policy: Policy) -> tuple[Facts, Effect]:
    agreed, of_consent = consent.after_optin(facts.consent, decision)
    after, of_others = _end(facts, decision, policy)
    known = after.deliverability
    reset: tuple[str, ...] = ()
    if decision.by_contact:
        known, reset = deliverability.after_resubscribe(known, policy)
    ending = together((of_consent, of_others))
    noted = agreed is not facts.consent
    effect = Effect(
        outcome=Outcome.OPTED_IN if noted else Outcome.NOTHING,
        reason=None if noted else Reason.OPTED_OUT,
        reset=reset,
        ended=ending.ended,
        kept=ending.kept,
    )
    return replace(after, consent=agreed, deliverability=known), effect


def _lift(facts: Facts, decision: Decision, policy: Policy) -> tuple[Facts, Effect]:
    agreed, of_consent = consent.after_lift(facts.consent, decision)
    after, of_others = _end(facts, decision, policy)
    ending = together((of_others, of_consent))
    effect = Effect(
        outcome=Outcome.LIFTED if ending.ended else Outcome.NOTHING,
        reason=None if ending.ended else Reason.NOTHING_TO_LIFT,
        ended=ending.ended,
        kept=ending.kept,
    )
    return replace(after, consent=agreed), effect


def _end(facts: Facts, decision: Decision, policy: Policy) -> tuple[Facts, Ending]:
    """The facts without what the decision ends of deliverability and complaint."""
    known, of_failures = deliverability.after_ending(facts.deliverability, decision, policy)
    complained, of_complaint = complaint.after_ending(facts.complaint, decision)
    ending = together((of_complaint, of_failures))
    if ending.ended:
        known = replace(known, lifted_at=decision.occurred_at)
    return _in_its_place(facts, decision, deliverability=known, complaint_ended=complained is None), ending


def _in_its_place(
    facts: Facts,
    entry: Entry,
    *,
    deliverability: Deliverability | None = None,
    consent: Consent | None = None,
    complaint: Complaint | None = None,
    complaint_ended: bool = False,
) -> Facts:
    """The facts with these changes, after an ordered entry."""
    key = order_key(entry)
    return Facts(
        engagement=facts.engagement,
        deliverability=facts.deliverability if deliverability is None else deliverability,
        consent=facts.consent if consent is None else consent,
        complaint=None if complaint_ended else complaint or facts.complaint,
        latest=_later(facts.latest, key),
        latest_ordered=_later(facts.latest_ordered, key),
        awaited=facts.awaited,
    )


def _later(known: OrderKey | None, key: OrderKey) -> OrderKey:
    return key if known is None or key > known else known

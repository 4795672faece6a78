"""Which events change a contact's facts, and which of them may be folded as they arrive.

There are three sorts of events:

- *inert*: they change no fact at all, not even `latest`.
- *calm* (delivered, opened, clicked): their order among each other does not matter, only that they come after
  the last ordered event.
- *ordered* (bounces, complaints, unsubscribes, resubscribes): each has its place in the history.

The sort depends only on the event, not on the policy: a bounce that no rule counts has its place too.
"""

from typing import assert_never

from schemas.feedback_event import FeedbackEvent
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.policy.effect import Reason
from worker.policy.facts import Facts, OrderKey

CALM_KINDS = frozenset({Kind.DELIVERED, Kind.OPENED, Kind.CLICKED})
BOUNCE_KINDS = frozenset({Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE})

# The causes that a rule may count: the address's and the remote side's. Complaints are facts of their own.
COUNTABLE_CAUSES = frozenset(
    cause
    for cause, blame in CAUSE_BLAME.items()
    if blame in {Blame.RECIPIENT, Blame.REMOTE} and cause not in {Cause.ABUSE_REPORT, Cause.FRAUD_REPORT}
)


def _reason_by_kind(kind: Kind) -> Reason | None:
    """Why no event of this kind can ever change anything; None if some can."""
    match kind:
        case Kind.ACCEPTED | Kind.DEFERRED | Kind.OTHER:
            return Reason.NO_NEWS
        case Kind.DROPPED:
            return Reason.ECHO
        case Kind.BLOCKED:
            return Reason.SENDERS_FAULT
        case Kind.SOFT_BOUNCE | Kind.HARD_BOUNCE:
            return None  # its cause decides
        case Kind.OPENED | Kind.CLICKED:
            return None  # unless a machine did it
        case Kind.DELIVERED | Kind.UNSUBSCRIBE | Kind.RESUBSCRIBE | Kind.COMPLAINT:
            return None
    assert_never(kind)


_INERT_KINDS: dict[Kind, Reason] = {kind: reason for kind in Kind if (reason := _reason_by_kind(kind)) is not None}
_DELIVERED, _TEST = Kind.DELIVERED, Cause.TEST  # reading them from their classes costs a quarter microsecond


def inert_reason(event: FeedbackEvent) -> Reason | None:
    """Why the event changes nothing under any policy; None if it may change something."""
    if event.cause is _TEST:
        return Reason.TEST
    kind = event.kind
    if kind is _DELIVERED:
        return None
    if kind in _INERT_KINDS:
        return _INERT_KINDS[kind]
    if kind in BOUNCE_KINDS and event.cause not in COUNTABLE_CAUSES:
        return Reason.SENDERS_FAULT if event.blame is Blame.SENDER else Reason.NO_FAILURE
    if event.machine and kind in CALM_KINDS:
        return Reason.MACHINE
    return None


def is_inert(event: FeedbackEvent) -> bool:
    """True if the event changes no fact under any policy. Every other event moves at least `latest`."""
    return inert_reason(event) is not None


def order_key(event: FeedbackEvent) -> OrderKey:
    """The event's place in its contact's history."""
    return OrderKey(event.occurred_at, KIND_RANKS[event.kind], event.event_key)


def can_fold_directly(facts: Facts, event: FeedbackEvent) -> bool:
    """True if folding the event now gives the same facts as folding it in its place.

    If False, the contact must be folded again from its stored events, including this one. Repeated calm
    events may be folded again; a repeated ordered event gives False.
    """
    if event.kind in CALM_KINDS:
        last = facts.latest_ordered
    elif inert_reason(event) is not None:
        return True
    else:
        last = facts.latest
    if last is None:
        return True
    at = event.occurred_at
    return order_key(event) > last if at == last.occurred_at else at > last.occurred_at

"""Which entries change a contact's facts, and which of them may be folded as they arrive.

There are five sorts of entries:

- *inert*: they change no fact at all, not even `latest`.
- *suppressions* (drops because of the ESP's own list): the latest is noted; their order does not matter at all.
- *calm* (delivered, opened, clicked): their order among each other does not matter, only that they come after
  the last ordered entry.
- *ordered* (bounces, complaints, opt-outs and other wishes, resubscribes, and decisions): each has its place in the
  log.
- *annotations* (decisions that others never happened, or wait): each changes what the whole log is.

The sort depends only on the entry, not on the policy: a bounce that no rule counts has its place too.
"""

from typing import assert_never

from schemas.decision import ANNOTATIONS
from schemas.entry import ENTRY_RANKS, Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.policy.effect import Reason
from worker.policy.facts import Facts, OrderKey
from worker.policy.suppression import SUPPRESSION_CAUSES

CALM_KINDS = frozenset({Kind.DELIVERED, Kind.OPENED, Kind.CLICKED})
BOUNCE_KINDS = frozenset({Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE})

_UNORDERED_KINDS = CALM_KINDS | {Kind.DROPPED}

# The causes that a rule may count: the address's and the remote side's. Complaints are facts of their own.
COUNTABLE_CAUSES = frozenset(
    cause
    for cause, blame in CAUSE_BLAME.items()
    if blame in {Blame.RECIPIENT, Blame.REMOTE} and cause not in {Cause.ABUSE_REPORT, Cause.FRAUD_REPORT}
)


def _bounce_reason(cause: Cause) -> Reason | None:
    if cause in COUNTABLE_CAUSES:
        return None
    return Reason.SENDERS_FAULT if CAUSE_BLAME[cause] is Blame.SENDER else Reason.NO_FAILURE


def _reason(kind: Kind, cause: Cause) -> Reason | None:
    """Why no event of this kind with this cause can ever change anything; None if some can."""
    if cause is Cause.TEST:
        return Reason.TEST
    reason: Reason | None
    match kind:
        case Kind.ACCEPTED | Kind.DEFERRED | Kind.OTHER:
            reason = Reason.NO_NEWS
        case Kind.BLOCKED:
            reason = Reason.SENDERS_FAULT
        case Kind.DROPPED:
            reason = None if cause in SUPPRESSION_CAUSES else Reason.ECHO
        case Kind.SOFT_BOUNCE | Kind.HARD_BOUNCE:
            reason = _bounce_reason(cause)
        case Kind.DELIVERED | Kind.OPENED | Kind.CLICKED | Kind.UNSUBSCRIBE | Kind.RESUBSCRIBE | Kind.COMPLAINT:
            reason = None
        case Kind.PREFERS_FEWER | Kind.DECLINES_COMMERCIAL | Kind.FORBIDS_CONTACT:
            reason = None
        case _:
            assert_never(kind)
    return reason


_REASONS: dict[tuple[Kind, Cause], Reason] = {
    (kind, cause): reason for kind in Kind for cause in Cause if (reason := _reason(kind, cause)) is not None
}
_DELIVERED, _TEST = Kind.DELIVERED, Cause.TEST  # reading them from their classes costs a quarter microsecond


def inert_reason(entry: Entry) -> Reason | None:
    """Why the entry changes nothing under any policy; None if it may change something."""
    if (entry.kind is _DELIVERED and entry.cause is not _TEST) or not isinstance(entry, FeedbackEvent):
        return None
    reason = _REASONS.get((entry.kind, entry.cause))
    if reason is None and entry.machine and entry.kind in CALM_KINDS:
        return Reason.MACHINE
    return reason


def is_inert(entry: Entry) -> bool:
    """True if the entry changes no fact under any policy. Every other entry moves at least `latest`."""
    return inert_reason(entry) is not None


def is_ordered(entry: Entry) -> bool:
    """True if the entry has its place in the log: bounces, complaints, opt-outs, resubscribes, decisions."""
    return entry.kind not in _UNORDERED_KINDS and inert_reason(entry) is None


def order_key(entry: Entry) -> OrderKey:
    """The entry's place in its contact's log."""
    return OrderKey(entry.occurred_at, ENTRY_RANKS[entry.kind], entry.event_key)


def can_fold_directly(facts: Facts, entry: Entry) -> bool:
    """True if folding the entry now gives the same facts as folding it in its place.

    If False, the contact must be folded again from its stored entries, including this one. Repeated calm
    events may be folded again; a repeated ordered entry gives False.
    """
    if facts.awaited and entry.event_key in facts.awaited:
        return False
    kind = entry.kind
    if kind in CALM_KINDS:
        last = facts.latest_ordered
    elif kind in ANNOTATIONS:
        return False
    elif kind is Kind.DROPPED or inert_reason(entry) is not None:
        return True
    else:
        last = facts.latest
    if last is None:
        return True
    at = entry.occurred_at
    return order_key(entry) > last if at == last.occurred_at else at > last.occurred_at

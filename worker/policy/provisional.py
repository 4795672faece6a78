"""What a contact comes to while something that came late is still being folded in.

Two facts are known then: the contact's own, without what came late, and provisional ones, with it, but without the
entries that are still to be folded. Neither is the truth. Until that is known the contact answers with the stricter of
both, so that nobody is mailed who must not be. What comes in meanwhile is folded into both.
"""

from collections.abc import Iterable
from datetime import datetime

from schemas.entry import Entry
from worker.policy.annotations import NO_ANNOTATIONS, Annotations
from worker.policy.dimension import Standing, precedence
from worker.policy.event_order import can_fold_directly, is_inert
from worker.policy.facts import Facts
from worker.policy.fold import fold, in_order, pass_over
from worker.policy.rule import Policy
from worker.policy.standing import gravest_of, next_change_at, standing


def with_late(
    facts: Facts, late: Iterable[Entry], policy: Policy, *, annotations: Annotations = NO_ANNOTATIONS
) -> Facts:
    """The facts with the effect that the late entries alone have on them, whatever lies between."""
    for entry in in_order([entry for entry in late if not is_inert(entry)]):
        out = annotations.out(entry)
        facts = fold(facts, entry, policy) if out is None else pass_over(facts, entry)
    return facts


def shown_standing(facts: Facts, provisional: Facts | None, policy: Policy, at: datetime) -> Standing:
    """The stricter of both: the graver status, and all mail that either of them forbids."""
    own = standing(facts, policy, at)
    return own if provisional is None else gravest_of([own, standing(provisional, policy, at)])


def next_change(facts: Facts, provisional: Facts | None, policy: Policy, at: datetime) -> datetime | None:
    """The first moment after `at` when time alone may change the shown standing; None for never."""
    several = [facts] if provisional is None else [facts, provisional]
    moments = [next_change_at(one, policy, at) for one in several]
    return min((moment for moment in moments if moment is not None), default=None)


def stricter_facts(facts: Facts, provisional: Facts | None, policy: Policy, at: datetime) -> Facts:
    """Those by whose standing the contact is known at the moment: what a decision has to change."""
    if provisional is None:
        return facts
    own, other = (precedence(standing(one, policy, at)) for one in (facts, provisional))
    return facts if own >= other else provisional


def without_late(facts: Facts, entries: Iterable[Entry], policy: Policy) -> Facts:
    """The contact's own facts after these entries: those that come late are not folded, only their places are noted."""
    for entry in in_order(entries):
        facts = fold(facts, entry, policy) if can_fold_directly(facts, entry) else pass_over(facts, entry)
    return facts

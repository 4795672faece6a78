"""The result of a decision, given the facts of its contact: when it takes place, and what it changes.

Called under the contact's lock, so that the answer holds until the commit.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from schemas.decision import Decision, DecisionKind, Origin, Permission
from schemas.entry import Entry
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.facts import Facts
from worker.policy.fold import apply
from worker.policy.provisional import stricter_facts
from worker.policy.rule import Policy
from worker.store.contact_rows import ContactKey

_BEHIND = timedelta(microseconds=1)


class DecisionResult(Struct, frozen=True, kw_only=True):
    """The result of one decision about one contact."""

    decision: Decision  # with its final time, if it is stored
    contact_id: int | None  # None: nothing is stored of the contact
    effect: Effect | None  # None: the decision was stored before
    facts: Facts  # after it
    policy: Policy  # of these facts

    @property
    def is_stored(self) -> bool:
        """True if the decision is in the log now."""
        return self.effect is None or self.effect.outcome is not Outcome.NOTHING


def decide(
    facts: Facts,
    entries: Sequence[Entry],
    *,
    contact_id: int | None,
    policy: Policy,
    now: datetime,
    provisional: Facts | None = None,
) -> tuple[list[Entry], list[DecisionResult]]:
    """The entries to store, with their decisions dated and without those that change nothing; and all results.

    Imported decisions keep their time and are stored in any case: the entries that they change may arrive later.
    `provisional` are the facts that count as well while late entries are still being folded in. A decision changes
    both.
    """
    to_store: list[Entry] = []
    results = []
    for entry in entries:
        if not isinstance(entry, Decision) or entry.origin is Origin.IMPORT:
            to_store.append(entry)
            continue
        decision = _dated_behind(facts, entry, now)
        if _adds_nothing(decision, contact_id):
            after, effect = facts, Effect(outcome=Outcome.NOTHING, reason=Reason.KNOWN_BEFORE)
        else:
            after, effect = apply(facts, decision, policy)
        provisionally = None
        if provisional is not None:
            provisionally, other = apply(provisional, decision, policy)
            if effect.outcome is Outcome.NOTHING or stricter_facts(facts, provisional, policy, now) is provisional:
                effect = effect if other.outcome is Outcome.NOTHING else other
        if effect.outcome is not Outcome.NOTHING:
            facts, provisional = after, provisionally
            to_store.append(decision)
        shown = stricter_facts(facts, provisional, policy, now)
        results.append(
            DecisionResult(decision=decision, contact_id=contact_id, effect=effect, facts=shown, policy=policy)
        )
    return to_store, results


def repeats(
    entries: Sequence[Entry], known: Collection[bytes], facts: Facts, *, contact_id: int, policy: Policy
) -> list[DecisionResult]:
    """The results of those decisions that were stored before."""
    return [
        DecisionResult(decision=entry, contact_id=contact_id, effect=None, facts=facts, policy=policy)
        for entry in entries
        if isinstance(entry, Decision) and entry.event_key in known
    ]


def with_ids(results: Sequence[DecisionResult], ids: Mapping[ContactKey, int]) -> list[DecisionResult]:
    """The results with the ids of inserted contacts, without those of contacts that somebody else inserted meanwhile.

    These must be decided again.
    """
    remaining: list[DecisionResult] = []
    for result in results:
        if result.contact_id is not None or not result.is_stored:
            remaining.append(result)
        elif (contact_id := ids.get(_key(result.decision))) is not None:
            remaining.append(replace(result, contact_id=contact_id))
    return remaining


def _key(decision: Decision) -> ContactKey:
    return ContactKey(address=decision.address, account=decision.account, channel=decision.channel)


def _adds_nothing(decision: Decision, contact_id: int | None) -> bool:
    """True if the contact is known already, and the caller does not say that the person agreed.

    That is no reason to stop mail to it: a caller who uploads all contacts at once would have none left to mail. It is
    checked at the decision and not when the log is folded, so that a stored decision keeps its effect when older
    entries arrive later.
    """
    return (
        decision.kind is DecisionKind.ADDED
        and decision.permission in {None, Permission.UNKNOWN}
        and contact_id is not None
    )


def _dated_behind(facts: Facts, decision: Decision, now: datetime) -> Decision:
    """The decision with its time: now, but after everything that is known of the contact."""
    at = now if facts.latest is None else max(now, facts.latest.occurred_at + _BEHIND)
    return replace(decision, occurred_at=at, received_at=now)

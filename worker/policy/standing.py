"""The status that follows from the facts at one moment, and when time alone changes it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from schemas.entry import Entry
from schemas.list_name import list_key
from schemas.vocabulary import Blocks, Cause, Status
from worker.policy import complaint, consent, deliverability
from worker.policy.dimension import WIDTH, Standing, precedence
from worker.policy.engagement import free_status
from worker.policy.facts import Facts, is_free
from worker.policy.permissions import Refusal, opens, other_scope, why_not
from worker.policy.rule import Policy


def standing(facts: Facts, policy: Policy, at: datetime) -> Standing:
    """The gravest fact at that moment gives the status; all facts together give the forbidden mail.

    `since` is the beginning of the gravest fact: the complaint, the event that began the block, the opt-out, the
    first pending strike. `until` is its end. Without such a fact the status is `active` or `new`, and `since` is
    None. Of several facts with the same status the one that lasts longest counts.
    """
    several = () if is_free(facts) else list(standings(facts, policy, at))
    if not several:
        return Standing(status=free_status(facts.engagement), blocks=Blocks.NONE, since=None, until=None)
    return gravest_of(several)


def gravest_of(several: Sequence[Standing]) -> Standing:
    """The gravest of the standings, of which there is at least one, forbidding all that any of them forbids."""
    gravest = max(several, key=precedence)
    blocks = max((one.blocks for one in several), key=WIDTH.__getitem__)
    return gravest if blocks is gravest.blocks else msgspec.structs.replace(gravest, blocks=blocks)


def standings(facts: Facts, policy: Policy, at: datetime) -> Iterator[Standing]:
    """One for each fact that gives a status other than `active` or `new` at that moment."""
    yield from complaint.standings(facts.complaint, policy)
    yield from deliverability.standings(facts.deliverability, policy, at)
    yield from consent.standings(facts.consent, policy)


def next_change_at(facts: Facts, policy: Policy, at: datetime) -> datetime | None:
    """The first moment after `at` when time alone changes the standing; None for never.

    A hold ends then, or strikes are forgotten. A change of `since` alone does not count.
    """
    if deliverability.is_free(facts.deliverability):
        return None
    moments = sorted(deliverability.ends(facts.deliverability, policy, at))
    if not moments:
        return None
    now = _shape(standing(facts, policy, at))
    for moment in moments:
        if _shape(standing(facts, policy, moment)) != now:
            return moment
    return None


def _shape(one: Standing) -> tuple[Status, Blocks, datetime | None, Cause, str | None]:
    return one.status, one.blocks, one.until, one.cause, one.rule


def may_end(one: Standing, entry: Entry) -> Refusal | None:
    """None if the entry ends this standing; else why not, and what does. The fold asks the same matrix."""
    if (
        one.scope is not None
        and entry.scope
        and list_key(one.scope) != list_key(entry.scope)
        and opens(entry) & one.lift_by
    ):
        return other_scope(one.name, one.scope, entry.scope)
    return why_not(one.name, one.lift_by, entry)

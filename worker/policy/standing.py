"""The status that follows from the facts at one moment, and when time alone changes it."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from schemas.vocabulary import STATUS_GRAVITY, Blocks, Cause, Status
from worker.policy.facts import Facts, Standing, is_free
from worker.policy.failure_count import is_in_force
from worker.policy.rule import LiftBy, Policy
from worker.policy.strikes import forgotten_at, live_strikes

_WIDTH = {Blocks.NONE: 0, Blocks.MARKETING: 1, Blocks.ALL: 2}
_BY_THE_PERSON_OR_US = frozenset({LiftBy.CONFIRMED_OPTIN, LiftBy.ADMIN})


def standing(facts: Facts, policy: Policy, at: datetime) -> Standing:
    """The gravest fact at that moment gives the status; all facts together give the forbidden mail.

    `since` is the beginning of the gravest fact: the complaint, the event that began the block, the opt-out, the
    first pending strike. `until` is its end. Without such a fact the status is `active` or `new`, and `since` is
    None. Of several facts with the same status the one that lasts longest counts.
    """
    standings = () if is_free(facts) else list(_standings(facts, policy, at))
    if not standings:
        return Standing(status=_free_status(facts), blocks=Blocks.NONE, since=None, until=None)
    gravest = max(standings, key=_precedence)
    blocks = max((one.blocks for one in standings), key=_WIDTH.__getitem__)
    return gravest if blocks is gravest.blocks else msgspec.structs.replace(gravest, blocks=blocks)


def next_change_at(facts: Facts, policy: Policy, at: datetime) -> datetime | None:
    """The first moment after `at` when time alone changes the standing; None for never.

    A hold ends then, or strikes are forgotten. A change of `since` alone does not count.
    """
    if not (facts.rules or facts.blocks):
        return None
    now = _shape(standing(facts, policy, at))
    for moment in sorted(_ends(facts, policy, at)):
        if _shape(standing(facts, policy, moment)) != now:
            return moment
    return None


def _standings(facts: Facts, policy: Policy, at: datetime) -> Iterator[Standing]:
    """One for each fact that gives a status other than `active` or `new` at that moment."""
    if facts.complaint is not None:
        yield Standing(
            status=Status.COMPLAINED,
            blocks=policy.complaint_applies_to,
            since=facts.complaint.at,
            until=None,
            cause=facts.complaint.cause,
            event_key=facts.complaint.event_key,
            lift_by=_BY_THE_PERSON_OR_US,
        )
    for block in facts.blocks:
        if is_in_force(block, at):
            yield Standing(
                status=block.status,
                blocks=block.blocks,
                since=block.since,
                until=block.until,
                cause=block.cause,
                rule=block.rule,
                event_key=block.event_key,
                lift_by=block.lift_by,
            )
    for optout in facts.optouts:
        forbids = policy.scoped_unsubscribe_applies_to if optout.scope else Blocks.MARKETING
        if forbids is not Blocks.NONE:
            yield Standing(
                status=Status.UNSUBSCRIBED,
                blocks=forbids,
                since=optout.at,
                until=None,
                event_key=optout.event_key,
                lift_by=frozenset({LiftBy.CONFIRMED_OPTIN}),
            )
    for state in facts.rules:
        rule = policy.rule_by_name.get(state.rule)
        live = live_strikes(state, rule, at) if rule is not None else ()
        if rule is not None and live:
            yield Standing(
                status=Status.SOFT_BOUNCING,
                blocks=Blocks.NONE,
                since=live[0].at,
                until=forgotten_at(live, state.strikes, rule),
                cause=live[-1].cause,
                rule=state.rule,
                event_key=live[-1].event_key,
            )


def _precedence(one: Standing) -> tuple[int, bool, float, int, float, bytes]:
    """Sorts standings by gravity, how long they last, how much mail they forbid, and their age."""
    return (
        STATUS_GRAVITY[one.status],
        one.until is None,
        one.until.timestamp() if one.until is not None else 0.0,
        _WIDTH[one.blocks],
        -one.since.timestamp() if one.since is not None else 0.0,
        one.event_key or b"",
    )


def _ends(facts: Facts, policy: Policy, at: datetime) -> set[datetime]:
    """Every moment after `at` when a fact ends by time alone."""
    ends = {block.until for block in facts.blocks if block.until is not None}
    for state in facts.rules:
        rule = policy.rule_by_name.get(state.rule)
        if rule is not None and (live := live_strikes(state, rule, at)):
            end = forgotten_at(live, state.strikes, rule)
            if end is not None:
                ends.add(end)
    return {end for end in ends if end > at}


def _shape(one: Standing) -> tuple[Status, Blocks, datetime | None, Cause, str | None]:
    return one.status, one.blocks, one.until, one.cause, one.rule


def _free_status(facts: Facts) -> Status:
    if facts.last_delivered_at is None and facts.last_opened_at is None and facts.last_clicked_at is None:
        return Status.NEW
    return Status.ACTIVE

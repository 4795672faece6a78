"""Deliverability: does mail reach the address?

The strikes of each rule and the blocks that follow from them, the listings by decision, and the ESP's own suppression.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Kind, Status
from worker.policy.block import Block, is_in_force
from worker.policy.complaint import Complaint
from worker.policy.dimension import Standing
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.ending import Ending, end, together
from worker.policy.engagement import Engagement
from worker.policy.failure_count import count_failure
from worker.policy.listing import LISTING_NAME, Listing, with_listing
from worker.policy.rule import RULE_LIFT_BY, LiftBy, Policy
from worker.policy.strikes import RuleState, clear_strikes, excuse_strikes, forgotten_at, live_strikes
from worker.policy.suppression import Suppression
from worker.policy.suppression import after_drop as after_suppression


class Deliverability(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the rules remember of the failures."""

    rules: tuple[RuleState, ...] = ()  # only those with something to remember, sorted by name
    blocks: tuple[Block, ...] = ()  # in force or ended; one per rule, sorted by name
    listings: tuple[Listing, ...] = ()  # in the order of their decisions
    suppression: Suppression | None = None  # the ESP did not try, because of a list of its own
    lifted_at: datetime | None = None  # when a decision last ended a block, strikes, a listing or the complaint


NO_FAILURES = Deliverability()


def is_free(known: Deliverability) -> bool:
    """True if it gives no standing at any moment under any policy."""
    return known is NO_FAILURES or not (known.rules or known.blocks or known.listings or known.suppression)


def after_bounce(
    known: Deliverability, engagement: Engagement, event: FeedbackEvent, policy: Policy
) -> tuple[Deliverability, Effect]:
    """The deliverability after a bounce, and what it did."""
    rule = policy.rule_by_failure.get((event.kind, event.cause))
    if rule is None:
        return known, Effect(outcome=Outcome.NOTHING, reason=Reason.NO_RULE)
    rules, blocks, effect = count_failure(known.rules, known.blocks, engagement, event, rule=rule, policy=policy)
    if rules is known.rules and blocks is known.blocks:
        return known, effect
    return replace(known, rules=rules, blocks=blocks), effect


def after_sign_of_life(known: Deliverability, event: FeedbackEvent, policy: Policy) -> tuple[Deliverability, Effect]:
    """The deliverability after a delivery, an open or a click, and what it did."""
    names = policy.rules_reset_by[event.kind]
    excused: tuple[str, ...] = ()
    if event.kind is Kind.DELIVERED and event.message_id is not None:
        rules, excused, reset = excuse_strikes(known.rules, names, event.message_id)
    else:
        rules, reset = clear_strikes(known.rules, names)
    effect = Effect(outcome=Outcome.SIGN_OF_LIFE, reset=reset, excused=excused)
    suppression = known.suppression
    if suppression is not None and event.kind is Kind.DELIVERED and event.occurred_at >= suppression.at:
        suppression = None
    if rules is known.rules and suppression is known.suppression:
        return known, effect
    return replace(known, rules=rules, suppression=suppression), effect


def after_resubscribe(known: Deliverability, policy: Policy) -> tuple[Deliverability, tuple[str, ...]]:
    """The deliverability after the person asked for mail again, and the rules whose strikes that cleared."""
    rules, reset = clear_strikes(known.rules, policy.rules_reset_by[Kind.RESUBSCRIBE])
    return known if rules is known.rules else replace(known, rules=rules), reset


def after_drop(
    known: Deliverability, delivered_at: datetime | None, complaint: Complaint | None, event: FeedbackEvent
) -> tuple[Deliverability, Effect]:
    """The deliverability after an ESP did not try because of its own list. It is no strike and forbids nothing.

    If a lift has ended what the list rests on, and nothing has failed since, the ESP's list alone is in the way.
    """
    lifted_at = known.lifted_at
    alone = (
        lifted_at is not None
        and lifted_at <= event.occurred_at
        and complaint is None
        and all(block.since < lifted_at for block in known.blocks)
        and not any(listing.is_in_force(event.occurred_at) for listing in known.listings)
    )
    effect = Effect(outcome=Outcome.NOTHING, reason=Reason.STILL_SUPPRESSED if alone else Reason.ECHO)
    suppression = after_suppression(known.suppression, delivered_at, event)
    return known if suppression is known.suppression else replace(known, suppression=suppression), effect


def after_listing(known: Deliverability, decision: Decision) -> tuple[Deliverability, Effect]:
    """The deliverability with one more listing."""
    listings = with_listing(known.listings, decision)
    return replace(known, listings=listings), Effect(outcome=Outcome.LISTED, until=decision.until)


def after_ending(known: Deliverability, entry: Entry, policy: Policy) -> tuple[Deliverability, Ending]:
    """The deliverability after a lift or an opt-in: without what that may end.

    What a rule remembers goes with its block and its strikes, so its ladder starts at its first rung again.
    """
    at = entry.occurred_at
    endings: list[Ending] = []
    listings = []
    for listing in known.listings:
        if listing.is_in_force(at):
            ending = end(LISTING_NAME, listing.lift_by, entry)
            endings.append(ending)
            if not ending.ended:
                listings.append(listing)
    gone = set()
    for name in sorted({state.rule for state in known.rules} | {block.rule for block in known.blocks}):
        what = _rule_facts(known, name, policy, at)
        ending = end(what.name, what.lift_by, entry)
        if ending.ended:
            gone.add(name)
        if what.counts:
            endings.append(ending)
    after = replace(
        known,
        rules=tuple(state for state in known.rules if state.rule not in gone),
        blocks=tuple(block for block in known.blocks if block.rule not in gone),
        listings=tuple(listings),
    )
    return after, together(endings)


class _RuleFacts(Struct, frozen=True):
    """What a rule remembers of a contact: how it is called, what ends it, whether it forbids or counts anything."""

    name: str
    lift_by: frozenset[LiftBy]
    counts: bool


def _rule_facts(known: Deliverability, name: str, policy: Policy, at: datetime) -> _RuleFacts:
    rule = policy.rule_by_name.get(name)
    block = next((block for block in known.blocks if block.rule == name), None)
    if block is not None and is_in_force(block, at):
        return _RuleFacts(_block_name(name), block.lift_by, counts=True)
    if rule is None:
        # A rule of another policy: what it remembers decides nothing any more.
        return _RuleFacts(_strikes_name(name), RULE_LIFT_BY, counts=False)
    state = next((state for state in known.rules if state.rule == name), None)
    return _RuleFacts(_strikes_name(name), rule.lift_by, counts=bool(state and live_strikes(state, rule, at)))


def _block_name(rule: str) -> str:
    return f"the block of rule {rule}"


def _strikes_name(rule: str) -> str:
    return f"the strikes of rule {rule}"


def standings(known: Deliverability, policy: Policy, at: datetime) -> Iterator[Standing]:
    """One for each block in force, and one for each rule with strikes that count."""
    for block in known.blocks:
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
                name=_block_name(block.rule),
            )
    for listing in known.listings:
        if listing.is_in_force(at):
            yield Standing(
                status=Status.BLOCKLISTED,
                blocks=listing.blocks,
                since=listing.since,
                until=listing.until,
                cause=listing.cause,
                event_key=listing.event_key,
                lift_by=listing.lift_by,
                name=LISTING_NAME,
            )
    for state in known.rules:
        rule = policy.rule_by_name.get(state.rule)
        live = live_strikes(state, rule, at) if rule is not None else ()
        if rule is not None and live:
            until = forgotten_at(live, state.strikes, rule)
            by_hand = rule.lift_by - {LiftBy.EXPIRY}
            yield Standing(
                status=Status.SOFT_BOUNCING,
                blocks=Blocks.NONE,
                since=live[0].at,
                until=until,
                cause=live[-1].cause,
                rule=state.rule,
                event_key=live[-1].event_key,
                lift_by=by_hand if until is None else by_hand | {LiftBy.EXPIRY},
                name=_strikes_name(state.rule),
            )


def ends(known: Deliverability, policy: Policy, at: datetime) -> set[datetime]:
    """Every moment after `at` when a block ends, or strikes are forgotten, by time alone."""
    moments = {block.until for block in known.blocks if block.until is not None}
    moments |= {listing.until for listing in known.listings if listing.until is not None}
    for state in known.rules:
        rule = policy.rule_by_name.get(state.rule)
        if rule is not None and (live := live_strikes(state, rule, at)):
            end = forgotten_at(live, state.strikes, rule)
            if end is not None:
                moments.add(end)
    return {moment for moment in moments if moment > at}

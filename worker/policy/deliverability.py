"""Deliverability: does mail reach the address? The strikes of each rule, and the blocks that follow from them."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Kind, Status
from worker.policy.block import Block, is_in_force
from worker.policy.dimension import Standing
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.engagement import Engagement
from worker.policy.failure_count import count_failure
from worker.policy.rule import Policy
from worker.policy.strikes import RuleState, clear_strikes, excuse_strikes, forgotten_at, live_strikes


class Deliverability(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the rules remember of the failures."""

    rules: tuple[RuleState, ...] = ()  # only those with something to remember, sorted by name
    blocks: tuple[Block, ...] = ()  # in force or ended; one per rule, sorted by name


NO_FAILURES = Deliverability()


def is_free(known: Deliverability) -> bool:
    """True if it gives no standing at any moment under any policy."""
    return known is NO_FAILURES or not (known.rules or known.blocks)


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
    return Deliverability(rules=rules, blocks=blocks), effect


def after_sign_of_life(known: Deliverability, event: FeedbackEvent, policy: Policy) -> tuple[Deliverability, Effect]:
    """The deliverability after a delivery, an open or a click, and what it did."""
    names = policy.rules_reset_by[event.kind]
    excused: tuple[str, ...] = ()
    if event.kind is Kind.DELIVERED and event.message_id is not None:
        rules, excused, reset = excuse_strikes(known.rules, names, event.message_id)
    else:
        rules, reset = clear_strikes(known.rules, names)
    effect = Effect(outcome=Outcome.SIGN_OF_LIFE, reset=reset, excused=excused)
    return known if rules is known.rules else Deliverability(rules=rules, blocks=known.blocks), effect


def after_resubscribe(known: Deliverability, policy: Policy) -> tuple[Deliverability, tuple[str, ...]]:
    """The deliverability after the person asked for mail again, and the rules whose strikes that cleared."""
    rules, reset = clear_strikes(known.rules, policy.rules_reset_by[Kind.RESUBSCRIBE])
    return known if rules is known.rules else Deliverability(rules=rules, blocks=known.blocks), reset


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
            )
    for state in known.rules:
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


def ends(known: Deliverability, policy: Policy, at: datetime) -> set[datetime]:
    """Every moment after `at` when a block ends, or strikes are forgotten, by time alone."""
    moments = {block.until for block in known.blocks if block.until is not None}
    for state in known.rules:
        rule = policy.rule_by_name.get(state.rule)
        if rule is not None and (live := live_strikes(state, rule, at)):
            end = forgotten_at(live, state.strikes, rule)
            if end is not None:
                moments.add(end)
    return {moment for moment in moments if moment > at}

"""Whether a failure counts as a strike, and what follows from enough strikes."""

from datetime import datetime, timedelta

from schemas.feedback_event import FeedbackEvent
from schemas.reported_event import OWN_PROVIDER
from schemas.vocabulary import Cause, Kind
from worker.policy.block import Block, is_in_force
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.engagement import Engagement
from worker.policy.rule import Action, Policy, Rule
from worker.policy.strikes import (
    RuleState,
    Strike,
    add_strike,
    live_strikes,
    remembered_strikes,
    restore_strikes,
    span_of,
)

Verdict = tuple[tuple[RuleState, ...], tuple[Block, ...], Effect]

# Weights like 0.1 do not add up exactly in binary.
_ROUNDING = 1e-9


def count_failure(
    before: tuple[RuleState, ...],
    blocks: tuple[Block, ...],
    engagement: Engagement,
    event: FeedbackEvent,
    *,
    rule: Rule,
    policy: Policy,
) -> Verdict:
    """The rule states and blocks after a bounce that `rule` claims, and what it did."""
    at = event.occurred_at
    most_age = policy.max_event_age
    # An ESP may empty an old queue over us. Whoever reports old failures in our own JSON knows that they are.
    if most_age is not None and event.received_at - at > most_age and event.provider != OWN_PROVIDER:
        return before, blocks, _not_counted(rule, Reason.TOO_OLD, limit=most_age)
    if _is_likely_auto_reply(engagement, event):
        return before, blocks, _not_counted(rule, Reason.LIKELY_AUTO_REPLY)

    states, restored = restore_strikes(before, event.message_id)
    state = next((state for state in states if state.rule == rule.name), RuleState(rule=rule.name))
    block = next((block for block in blocks if block.rule == rule.name), None)
    if block is not None and is_in_force(block, at):
        effect = _not_counted(rule, Reason.BLOCK_IN_FORCE, until=block.until, restored=restored)
        return states, blocks, effect

    engaged = is_engaged(engagement, event, rule)
    strikes = remembered_strikes(state, rule, at)
    if event.message_id is not None and any(strike.message_id == event.message_id for strike in strikes):
        return states, blocks, _not_counted(rule, Reason.SAME_MESSAGE, restored=restored)
    interval = rule.min_interval
    if engaged and rule.engaged_min_interval is not None:
        interval = rule.engaged_min_interval
    if strikes and at - strikes[-1].at < interval:
        effect = _not_counted(rule, Reason.TOO_SOON, limit=interval, restored=restored)
        return states, blocks, effect

    strike = Strike(at=at, event_key=event.event_key, kind=event.kind, cause=event.cause, message_id=event.message_id)
    grown = RuleState(
        rule=rule.name,
        strikes=add_strike(strikes, strike, policy.most_strikes[rule.name]),
        rung=0 if _ladder_forgotten(state, block, rule, at) else state.rung,
        last_strike_at=at,
    )
    after, begun, effect = _follow(grown, strike, rule, engaged=engaged, restored=restored)
    states = (*(other for other in states if other.rule != rule.name), *((after,) if after else ()))
    if begun is not None:
        blocks = (*(other for other in blocks if other.rule != rule.name), begun)
    return (
        tuple(sorted(states, key=lambda state: state.rule)),
        tuple(sorted(blocks, key=lambda block: block.rule)),
        effect,
    )


def is_engaged(engagement: Engagement, event: FeedbackEvent, rule: Rule) -> bool:
    """True if the person was engaged within `engaged_within` before the failure.

    The delivery of the failed message itself does not count: the server accepted it and then returned it.
    Only the newest delivery is remembered, so if that message fails, there is no engagement by delivery.
    """
    at = event.occurred_at
    times: list[datetime | None] = []
    if Kind.OPENED in rule.engaged_by:
        times.append(engagement.last_opened_at)
    if Kind.CLICKED in rule.engaged_by:
        times.append(engagement.last_clicked_at)
    if Kind.DELIVERED in rule.engaged_by and (
        event.message_id is None or event.message_id != engagement.last_delivered_message
    ):
        times.append(engagement.last_delivered_at)
    return any(time is not None and at - time <= rule.engaged_within for time in times)


def _is_likely_auto_reply(engagement: Engagement, event: FeedbackEvent) -> bool:
    return (
        event.kind is Kind.SOFT_BOUNCE
        and event.cause in {Cause.UNDETERMINED, Cause.AUTO_REPLY}
        and event.message_id is not None
        and event.message_id == engagement.last_delivered_message
    )


def _ladder_forgotten(state: RuleState, block: Block | None, rule: Rule, at: datetime) -> bool:
    """True if there was neither a hold nor a counted failure for `ladder_forget`."""
    if rule.ladder_forget is None or state.last_strike_at is None:
        return False
    clean_since = state.last_strike_at
    if block is not None and block.until is not None:
        clean_since = max(clean_since, block.until)
    return at - clean_since >= rule.ladder_forget


def _follow(
    state: RuleState, strike: Strike, rule: Rule, *, engaged: bool, restored: tuple[str, ...]
) -> tuple[RuleState | None, Block | None, Effect]:
    """What follows from the newest strike. On trial after a hold, engagement and min_span do not matter."""
    at = strike.at
    on_trial = state.rung > 0
    live = live_strikes(state, rule, at)
    score = sum(rule.weights.get(counted.kind, 1.0) for counted in live)
    needed = rule.trial_strikes if on_trial else rule.strikes + (rule.engaged_extra if engaged else 0)
    span_missing = None if on_trial else max(rule.min_span - span_of(live), timedelta(0)) or None

    until: datetime | None = None
    after: RuleState | None = state
    begun: Block | None = None
    outcome = Outcome.STRIKE
    if score + _ROUNDING < needed or rule.action is Action.RECORD:
        span_missing = None
    elif span_missing is None:
        outcome = Outcome.BLOCK_BEGAN
        after = None
        if rule.action is Action.HOLD:
            duration = rule.hold_ladder[min(state.rung, len(rule.hold_ladder) - 1)] if rule.hold_ladder else None
            until = None if duration is None else at + duration
            outcome = Outcome.BLOCK_BEGAN if until is None else Outcome.HOLD_BEGAN
            after = RuleState(rule=rule.name, rung=state.rung + 1, last_strike_at=at)
        begun = Block(
            rule=rule.name,
            status=rule.status,
            cause=strike.cause,
            since=at,
            until=until,
            blocks=rule.applies_to,
            lift_by=rule.lift_by,
            event_key=strike.event_key,
        )
    effect = Effect(
        outcome=outcome,
        rule=rule.name,
        score=score,
        needed=needed,
        engaged=engaged and not on_trial and rule.engaged_extra > 0,
        on_trial=on_trial,
        span_missing=span_missing,
        until=until,
        restored=restored,
    )
    return after, begun, effect


def _not_counted(
    rule: Rule,
    reason: Reason,
    *,
    limit: timedelta | None = None,
    until: datetime | None = None,
    restored: tuple[str, ...] = (),
) -> Effect:
    return Effect(outcome=Outcome.NOTHING, reason=reason, rule=rule.name, limit=limit, until=until, restored=restored)

"""A rule's strikes: what clears them, what excuses them, what makes them count again."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from schemas.vocabulary import Cause, Kind
from worker.policy.rule import Rule


class Strike(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One failure that counted."""

    at: datetime
    event_key: bytes
    kind: Kind
    cause: Cause
    message_id: str | None = None
    # A message delivered afterwards: this strike does not count, unless that message bounces after all.
    excused_by: str | None = None


class RuleState(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A contact's state under one rule."""

    rule: str
    strikes: tuple[Strike, ...] = ()
    rung: int = 0  # how many holds of the ladder have begun
    last_strike_at: datetime | None = None  # of any counted failure, for ladder_forget and stale_after


def live_strikes(state: RuleState, rule: Rule, at: datetime) -> tuple[Strike, ...]:
    """The strikes that count at a moment: not excused, not forgotten."""
    return tuple(strike for strike in remembered_strikes(state, rule, at) if strike.excused_by is None)


def remembered_strikes(state: RuleState, rule: Rule, at: datetime) -> tuple[Strike, ...]:
    """The strikes that are not forgotten: younger than `window`, and no gap of `stale_after` since the last.

    A strike exactly as old as the window is forgotten, so that `forgotten_at` is exact.
    """
    strikes = state.strikes
    if strikes and rule.stale_after is not None and at - strikes[-1].at >= rule.stale_after:
        return ()
    if strikes and rule.window is not None and at - strikes[0].at >= rule.window:
        return tuple(strike for strike in strikes if at - strike.at < rule.window)
    return strikes


def forgotten_at(live: tuple[Strike, ...], strikes: tuple[Strike, ...], rule: Rule) -> datetime | None:
    """When all live strikes are forgotten if nothing else happens; None for never."""
    ends = []
    if rule.window is not None:
        ends.append(live[-1].at + rule.window)
    if rule.stale_after is not None:
        ends.append(strikes[-1].at + rule.stale_after)
    return min(ends, default=None)


def span_of(strikes: tuple[Strike, ...]) -> timedelta:
    """The time from the first strike to the last."""
    return strikes[-1].at - strikes[0].at


def add_strike(strikes: tuple[Strike, ...], strike: Strike, most: int) -> tuple[Strike, ...]:
    """The strikes with one more, and at most `most`.

    If there are too many, an excused one is dropped, else the second-oldest. The oldest stays, because it shows how
    long the address has been failing: without it a mailbox that fails often would never reach `min_span`.
    """
    grown = (*strikes, strike)
    while len(grown) > most:
        excused = [place for place, kept in enumerate(grown) if kept.excused_by is not None]
        place = excused[0] if excused else 1
        grown = grown[:place] + grown[place + 1 :]
    return grown


def clear_strikes(
    states: tuple[RuleState, ...], names: frozenset[str]
) -> tuple[tuple[RuleState, ...], tuple[str, ...]]:
    """The states without strikes in the named rules, and the rules that had any. The rung of a ladder stays."""
    cleared = tuple(state.rule for state in states if state.strikes and state.rule in names)
    if not cleared:
        return states, ()
    kept = (replace(state, strikes=()) if state.rule in cleared else state for state in states)
    return _worth_keeping(kept), cleared


def excuse_strikes(
    states: tuple[RuleState, ...], names: frozenset[str], message_id: str
) -> tuple[tuple[RuleState, ...], tuple[str, ...], tuple[str, ...]]:
    """The states after a message was delivered, the rules that now have excused strikes, and those that lost some.

    `delivered` only means that a server has accepted the message; its bounce may still follow. So the delivery
    of another message than the strike's own excuses the strike, and only a second such delivery clears it.
    The set of delivered messages decides, not their order, so deliveries can be folded as they arrive.
    """
    excused: list[str] = []
    cleared: list[str] = []
    after: list[RuleState] = []
    for state in states:
        if not state.strikes or state.rule not in names:
            after.append(state)
            continue
        strikes = tuple(after_it for strike in state.strikes if (after_it := _excuse(strike, message_id)) is not None)
        if strikes == state.strikes:
            after.append(state)
            continue
        (excused if len(strikes) == len(state.strikes) else cleared).append(state.rule)
        after.append(replace(state, strikes=strikes))
    if not excused and not cleared:
        return states, (), ()
    return _worth_keeping(after), tuple(excused), tuple(cleared)


def _excuse(strike: Strike, message_id: str) -> Strike | None:
    """The strike after a message was delivered; None if the delivery clears it."""
    if message_id in (strike.message_id, strike.excused_by):
        return strike
    return replace(strike, excused_by=message_id) if strike.excused_by is None else None


def restore_strikes(
    states: tuple[RuleState, ...], message_id: str | None
) -> tuple[tuple[RuleState, ...], tuple[str, ...]]:
    """The states after a message bounced: the strikes that its delivery excused count again."""
    if message_id is None:
        return states, ()
    restored = tuple(state.rule for state in states if any(strike.excused_by == message_id for strike in state.strikes))
    if not restored:
        return states, ()
    return tuple(_restore(state, message_id) if state.rule in restored else state for state in states), restored


def _restore(state: RuleState, message_id: str) -> RuleState:
    return replace(
        state,
        strikes=tuple(
            replace(strike, excused_by=None) if strike.excused_by == message_id else strike for strike in state.strikes
        ),
    )


def _worth_keeping(states: Iterable[RuleState]) -> tuple[RuleState, ...]:
    return tuple(state for state in states if state.strikes or state.rung)

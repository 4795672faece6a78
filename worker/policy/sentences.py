"""Sentences for people about the policy's decisions."""

from datetime import datetime, timedelta

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Status
from worker.policy import complaint, consent, engagement
from worker.policy.dimension import Standing
from worker.policy.duration import write_duration
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.rule import LiftBy

_FORBIDS = {
    Blocks.NONE: "nothing is forbidden",
    Blocks.MARKETING: "marketing messages are forbidden",
    Blocks.ALL: "all messages are forbidden",
}
_NOT_COUNTED = {
    Reason.TEST: "No effect: it is a test.",
    Reason.NO_NEWS: "No effect: it says nothing final about the address.",
    Reason.ECHO: "No effect: the ESP did not try, because of an older event.",
    Reason.SENDERS_FAULT: "Not counted: the refusal was the sender's fault.",
    Reason.NO_FAILURE: "Not counted: it is not a failure of the address.",
    Reason.MACHINE: "No effect: a machine did this, not the person.",
    Reason.NO_RULE: "Not counted: no rule of the policy counts it.",
    Reason.LIKELY_AUTO_REPLY: (
        "Not counted: this message was reported delivered, so an unreadable bounce of it is mostly an auto-reply."
    ),
    Reason.SAME_MESSAGE: "Not counted by rule {rule}: a failure of the same message has already counted.",
    Reason.TOO_OLD: "Not counted by rule {rule}: it arrived more than {limit} after it happened.",
    Reason.TOO_SOON: "Not counted by rule {rule}: it is within {limit} of the last strike.",
    Reason.BLOCK_IN_FORCE: "Not counted: the block of rule {rule} is already in force{until}.",
    Reason.KNOWN_BEFORE: "No effect: the same was already known.",
    Reason.NOTHING_TO_TAKE_BACK: "No effect: there was no opt-out of this scope to take back.",
}


def effect_sentence(event: FeedbackEvent, effect: Effect) -> str:
    """What one event did: one sentence, and one more for each side effect."""
    parts = [_main_sentence(event, effect)]
    if effect.restored:
        rules = ", ".join(effect.restored)
        parts.append(f"Its delivery had excused strikes of {rules}: they count again.")
    if effect.reset:
        parts.append(f"It cleared the strikes of {', '.join(effect.reset)}.")
    if effect.excused:
        rules = ", ".join(effect.excused)
        parts.append(f"It excuses the strikes of {rules}, unless this message bounces after all.")
    return " ".join(parts)


def standing_sentence(standing: Standing) -> str:
    """The standing in one sentence."""
    sentence = f"{standing.status.value}"
    if standing.since is not None:
        sentence += f" since {moment_text(standing.since)}"
    if standing.until is not None:
        sentence += f" until {moment_text(standing.until)}"
    if standing.rule is not None:
        sentence += f" by rule {standing.rule}"
    if standing.cause is not Cause.NONE:
        sentence += f" ({standing.cause.value})"
    return f"{sentence}; {_FORBIDS[standing.blocks]}."


def lifts(standing: Standing) -> str:
    """What ends this standing, in one sentence."""
    if standing.status is Status.UNSUBSCRIBED:
        return "The person can subscribe again; nothing else lifts it."
    if standing.status is Status.SOFT_BOUNCING:
        if standing.until is None:
            return "Nothing is blocked; the strikes stay until an event of the rule's reset_on clears them."
        return f"Nothing is blocked; without another failure the strikes end on {moment_text(standing.until)}."
    ways = []
    if LiftBy.CONFIRMED_OPTIN in standing.lift_by:
        ways.append("a new opt-in that the person has confirmed")
    if LiftBy.ADMIN in standing.lift_by:
        ways.append("an operator, with a reason")
    by_hand = " or ".join(ways)
    if standing.until is not None:
        ends = f"It ends by itself on {moment_text(standing.until)}"
        return f"{ends}, or earlier by {by_hand}." if by_hand else f"{ends}."
    if by_hand:
        return f"It lasts until it is lifted by {by_hand}."
    return "Nothing is blocked." if standing.blocks is Blocks.NONE else "Nothing lifts it."


def moment_text(moment: datetime) -> str:
    """A time to the minute: `2025-03-01 09:30 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".rstrip()


def _main_sentence(event: FeedbackEvent, effect: Effect) -> str:
    if effect.reason is not None:
        return _NOT_COUNTED[effect.reason].format(
            rule=effect.rule,
            limit=write_duration(effect.limit),
            until=f" until {moment_text(effect.until)}" if effect.until is not None else "",
        )
    strike = f"Counted as strike {effect.score:g} of {effect.needed} for rule {effect.rule}{_why_needed(effect)}"
    match effect.outcome:
        case Outcome.STRIKE if effect.span_missing is not None:
            missing = _roughly(effect.span_missing)
            sentence = (
                f"{strike}: enough, but too close together; one more, at least {missing} later, would trigger it."
            )
        case Outcome.STRIKE:
            sentence = f"{strike}."
        case Outcome.HOLD_BEGAN if effect.until is not None:
            sentence = f"{strike}: a hold began, until {moment_text(effect.until)}."
        case Outcome.HOLD_BEGAN | Outcome.BLOCK_BEGAN:
            sentence = f"{strike}: a block began, until it is lifted."
        case Outcome.COMPLAINED:
            sentence = complaint.sentence()
        case Outcome.UNSUBSCRIBED | Outcome.RESUBSCRIBED:
            sentence = consent.sentence(event, effect.outcome)
        case _:
            sentence = engagement.sentence(event)
    return sentence


def _roughly(duration: timedelta) -> str:
    """The duration in days or hours, rounded up."""
    days, hours = -(-duration // timedelta(days=1)), -(-duration // timedelta(hours=1))
    return f"{days} days" if days > 1 else f"{hours} hours"


def _why_needed(effect: Effect) -> str:
    if effect.on_trial:
        return " (on trial after a hold)"
    return " (more than usual, because the person was engaged lately)" if effect.engaged else ""

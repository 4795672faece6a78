"""Sentences for people: what an entry of the log did, what a contact's standing is, and what ends it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from schemas.decision import Decision, DecisionKind
from schemas.entry import Entry, EntryKind
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Status
from worker.policy import complaint, engagement, suppression
from worker.policy.consent_sentences import consent_sentence, noted
from worker.policy.dimension import Standing
from worker.policy.duration import write_duration
from worker.policy.effect import Effect, Outcome, Reason
from worker.policy.ending import listed
from worker.policy.permissions import ways
from worker.policy.suppression import Suppression

_FORBIDS = {
    Blocks.NONE: "nothing is forbidden",
    Blocks.MARKETING: "marketing messages are forbidden",
    Blocks.COMMERCIAL: "marketing and one-to-one messages are forbidden",
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
    Reason.OPTED_OUT: "No effect: the person has opted out, and only the person can take that back.",
    Reason.NOTHING_TO_LIFT: "No effect: there was nothing that this lift may end.",
    Reason.NOT_PERMITTED: "No effect: who decided it may not decide it.",
    Reason.VOIDED: "No effect: it was voided.",
    Reason.HELD_BACK: "No effect: it is held back.",
}
_PROVISIONAL = (
    "Something came late and is still being worked into the history: until that has ended, the stricter of the statuses"
    " known counts."
)
_ANNOTATED = {
    DecisionKind.VOIDED: "voided",
    DecisionKind.HELD_BACK: "held back",
    DecisionKind.RELEASED: "released",
}


def effect_sentence(entry: Entry, effect: Effect) -> str:
    """What one entry did: one sentence, and one more for each side effect."""
    parts = [_main_sentence(entry, effect)]
    if effect.restored:
        rules = ", ".join(effect.restored)
        parts.append(f"Its delivery had excused strikes of {rules}: they count again.")
    if effect.reset:
        parts.append(f"It cleared the strikes of {', '.join(effect.reset)}.")
    if effect.excused:
        rules = ", ".join(effect.excused)
        parts.append(f"It excuses the strikes of {rules}, unless this message bounces after all.")
    if effect.ended and effect.outcome is Outcome.OPTED_IN:
        parts.append(f"It ended {listed(effect.ended)}.")
    return " ".join((*parts, *effect.kept))


def out_effect(annotation: Decision) -> Effect:
    """What an entry did that the annotation voids or holds back."""
    voided = annotation.kind is DecisionKind.VOIDED
    return Effect(outcome=Outcome.NOTHING, reason=Reason.VOIDED if voided else Reason.HELD_BACK)


def out_sentence(annotation: Decision) -> str:
    """Why an entry that the annotation voids or holds back has no effect."""
    done = "Voided" if annotation.kind is DecisionKind.VOIDED else "Held back"
    note = f": {annotation.note}" if annotation.note else ""
    return f"{done} by {annotation.actor} on {moment_text(annotation.occurred_at)}{note}."


def stretch_sentence(counts: Mapping[EntryKind, int], first_at: datetime, last_at: datetime) -> str:
    """What calm entries in a row were, and when."""
    several = listed(tuple(f"{count} {kind.value}" for kind, count in counts.items()))
    return f"{several} between {moment_text(first_at)} and {moment_text(last_at)}."


def standing_sentence(standing: Standing, *, is_provisional: bool = False) -> str:
    """The standing in one sentence; in two if something that came late is still being folded in."""
    sentence = f"{standing.status.value}"
    if standing.since is not None:
        sentence += f" since {moment_text(standing.since)}"
    if standing.until is not None:
        sentence += f" until {moment_text(standing.until)}"
    if standing.rule is not None:
        sentence += f" by rule {standing.rule}"
    if standing.cause is not Cause.NONE:
        sentence += f" ({standing.cause.value})"
    sentence = f"{sentence}; {_FORBIDS[standing.blocks]}."
    return f"{sentence} {_PROVISIONAL}" if is_provisional else sentence


def lifts(standing: Standing) -> str:
    """What ends this standing, in one sentence."""
    if standing.status is Status.UNSUBSCRIBED:
        return "The person can subscribe again; nothing else lifts it."
    if standing.status is Status.SOFT_BOUNCING:
        if standing.until is None:
            return "Nothing is blocked; the strikes stay until an event of the rule's reset_on clears them."
        return f"Nothing is blocked; without another failure the strikes end on {moment_text(standing.until)}."
    by_hand = ways(standing.lift_by)
    if standing.until is not None:
        ends = f"It ends by itself on {moment_text(standing.until)}"
        return f"{ends}, or earlier by {by_hand}." if by_hand else f"{ends}."
    if by_hand:
        return f"It lasts until it is lifted by {by_hand}."
    return "Nothing is blocked." if standing.blocks is Blocks.NONE else "Nothing lifts it."


def moment_text(moment: datetime) -> str:
    """A time to the minute: `2025-03-01 09:30 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".rstrip()


def suppression_sentence(known: Suppression) -> str:
    """What it means that an ESP did not try because of its own list, and what to do."""
    return (
        f"Still suppressed at the ESP on {moment_text(known.at)}, which did not try: "
        f"{suppression.remedy(known.provider, known.source)}."
    )


def _main_sentence(entry: Entry, effect: Effect) -> str:
    if isinstance(entry, Decision):
        return _decision_sentence(entry, effect)
    return _event_sentence(entry, effect)


def _decision_sentence(decision: Decision, effect: Effect) -> str:
    note = noted(decision)
    match effect.outcome:
        case Outcome.LIFTED:
            sentence = f"{decision.actor} lifted {listed(effect.ended)}{note}."
        case Outcome.LISTED:
            until = "until it is lifted" if effect.until is None else f"until {moment_text(effect.until)}"
            sentence = f"{decision.actor} listed the contact{note}: {_FORBIDS[decision.blocks]} {until}."
        case Outcome.ANNOTATED:
            several = len(decision.entry_keys)
            entries = "one entry" if several == 1 else f"{several} entries"
            sentence = f"{decision.actor} {_ANNOTATED[decision.kind]} {entries}{note}."
        case Outcome.NOTHING if effect.reason is not None:
            sentence = _NOT_COUNTED[effect.reason]
        case _:
            sentence = consent_sentence(decision, effect)
    return sentence


def _event_sentence(event: FeedbackEvent, effect: Effect) -> str:
    if effect.reason is Reason.STILL_SUPPRESSED:
        remedy = suppression.remedy(event.provider, event.source)
        return f"Not counted: still suppressed at the ESP since before the lift; {remedy}."
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
            sentence = complaint.sentence(effect.stream)
        case Outcome.UNSUBSCRIBED | Outcome.RESUBSCRIBED:
            sentence = consent_sentence(event, effect)
        case Outcome.DECLINED_COMMERCIAL | Outcome.DO_NOT_CONTACT | Outcome.PREFERS_FEWER:
            sentence = consent_sentence(event, effect)
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

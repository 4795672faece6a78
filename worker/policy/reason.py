"""Why a contact stands as it does, as one says it to a person: in at most five words, and in one sentence."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import FREE_STATUSES, Blocks, Cause, Kind, Status
from worker.policy.annotations import annotations
from worker.policy.consent_sentences import noted
from worker.policy.dimension import Standing
from worker.policy.facts import Facts

# What happened, in at most three words, as it stands at the beginning of a sentence.
CAUSE_WORDS: dict[Cause, str] = {
    Cause.MAILBOX_DOES_NOT_EXIST: "No such mailbox",
    Cause.INVALID_ADDRESS: "Invalid address",
    Cause.MAILBOX_OWNER_CHANGED: "Mailbox changed hands",
    Cause.MAILBOX_DISABLED: "Mailbox disabled",
    Cause.MAILBOX_FULL: "Mailbox full",
    Cause.DOMAIN_DOES_NOT_EXIST: "No such domain",
    Cause.DOMAIN_ACCEPTS_NO_MAIL: "Domain without mail",
    Cause.RECIPIENT_RESTRICTED: "Mailbox refuses us",
    Cause.SERVER_UNAVAILABLE: "Mail server unavailable",
    Cause.CONNECTION_FAILED: "Mail server unreachable",
    Cause.DNS_FAILURE: "DNS look-up failed",
    Cause.GREYLISTED: "Greylisted",
    Cause.EXPIRED: "Delivery timed out",
    Cause.UNDETERMINED: "Bounced without reason",
    Cause.SENDER_REPUTATION: "Our reputation",
    Cause.SENDER_AUTHENTICATION: "Our authentication failed",
    Cause.SENDER_CONFIGURATION: "Our configuration",
    Cause.CONTENT: "Content refused",
    Cause.VIRUS: "Refused as dangerous",
    Cause.MESSAGE_TOO_LARGE: "Message too large",
    Cause.RATE_LIMITED: "Sent too fast",
    Cause.POLICY: "Refused by policy",
    Cause.SUPPRESSED_BY_PROVIDER: "Suppressed by ESP",
    Cause.COMPLAINED_AT_PROVIDER: "Complained before",
    Cause.UNSUBSCRIBED_AT_PROVIDER: "Unsubscribed before",
    Cause.AUTO_REPLY: "Automatic reply",
    Cause.CHALLENGE_RESPONSE: "Asks for proof",
    Cause.ADDRESS_CHANGED: "Address has changed",
    Cause.ABUSE_REPORT: "Reported as spam",
    Cause.FRAUD_REPORT: "Reported as fraud",
    Cause.TEST: "A test",
    Cause.NONE: "Blocklisted",
}
_FAILURES = frozenset({Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED, Kind.DROPPED})
_MOST_ANSWER_CHARACTERS = 200
# May they be mailed? In at most two words.
_ANSWERS: dict[Blocks, str] = {
    Blocks.NONE: "Yes, but",
    Blocks.MARKETING: "No marketing",
    Blocks.COMMERCIAL: "Receipts only",
    Blocks.ALL: "No",
}
# Statuses that do not rest on a cause, in at most three words.
_STATUS_WORDS: dict[Status, str] = {
    Status.DO_NOT_CONTACT: "wants no contact",
    Status.DECLINED_COMMERCIAL: "declined commercial mail",
    Status.UNSUBSCRIBED: "person unsubscribed",
    Status.UNSUBSCRIBED_BY_US: "unsubscribed by us",
    Status.NON_MARKETABLE: "permission not known",
    Status.ACTIVE: "mail has arrived",
    Status.NEW: "nothing known yet",
}
_SENTENCES: dict[Status, str] = {
    Status.DO_NOT_CONTACT: "The person asked never to be contacted",
    Status.DECLINED_COMMERCIAL: "The person declined commercial messages",
    Status.UNSUBSCRIBED: "The person unsubscribed",
    Status.UNSUBSCRIBED_BY_US: "We unsubscribed the contact",
    Status.NON_MARKETABLE: "Nobody knows whether the person agreed to marketing messages",
}


def short_reason(standing: Standing) -> str:
    """May the contact be mailed, and why or why not: at most five words, for whoever is on the telephone."""
    answer = "Yes" if standing.status in FREE_STATUSES else _ANSWERS[standing.blocks]
    words = _STATUS_WORDS.get(standing.status) or _in_a_sentence(CAUSE_WORDS[standing.cause])
    return f"{answer}: {words}"


def reason_sentence(standing: Standing, facts: Facts, entries: Sequence[Entry], *, most_entries: int) -> str:
    """What led to the standing: how often, since when, and the server's last words, or whose wish it is.

    `entries` are the latest of the contact's log, at most `most_entries`: where there are more, a number of failures is
    told as the least that it can be.
    """
    if standing.since is None:
        return _sign_of_life(facts)
    cause = next((entry for entry in entries if entry.event_key == standing.event_key), None)
    match standing.status:
        case Status.COMPLAINED:
            return f"{CAUSE_WORDS[standing.cause]} on {day(standing.since)}."
        case Status.BLOCKLISTED if standing.rule is None:
            return _listed(standing, standing.since, cause)
        case Status.BLOCKLISTED | Status.MULTIPLE_SOFT_BOUNCES | Status.SOFT_BOUNCING:
            return _failing(standing, facts, entries, is_cut=len(entries) >= most_entries)
        case _:
            of = f" from {standing.scope}" if standing.scope and standing.status is Status.UNSUBSCRIBED else ""
            return f"{_SENTENCES[standing.status]}{of} on {day(standing.since)}{_note_of(cause)}."


def day(moment: datetime) -> str:
    """The day as people write it: `3 October 2026`."""
    return f"{moment.day} {moment:%B %Y}"


def _in_a_sentence(words: str) -> str:
    return words if words[:2].isupper() else words[0].lower() + words[1:]


def _sign_of_life(facts: Facts) -> str:
    known = facts.engagement
    for at, what in (
        (known.last_clicked_at, "clicked a link"),
        (known.last_opened_at, "opened a message"),
    ):
        if at is not None:
            return f"The person last {what} on {day(at)}."
    if known.last_delivered_at is not None:
        return f"A message was last delivered on {day(known.last_delivered_at)}."
    return "Nothing was reported about it that counts."


def _listed(standing: Standing, since: datetime, decision: Entry | None) -> str:
    who = f" by {decision.actor}" if isinstance(decision, Decision) else ""
    why = "" if standing.cause is Cause.NONE else f" ({_in_a_sentence(CAUSE_WORDS[standing.cause])})"
    return f"Blocklisted{who} on {day(since)}{why}{_note_of(decision)}."


def _note_of(entry: Entry | None) -> str:
    return noted(entry) if isinstance(entry, Decision) else ""


def _failing(standing: Standing, facts: Facts, entries: Sequence[Entry], *, is_cut: bool) -> str:
    failures = list(_failures_of(standing.cause, facts, entries))
    sentence = CAUSE_WORDS[standing.cause]
    if failures:
        first, last = failures[-1], failures[0]
        more = is_cut and entries[-1] is first
        if len(failures) == 1 and not more:
            sentence += f", on {day(first.occurred_at)}"
        else:
            sentence += f", {'at least ' if more else ''}{len(failures)} times since {day(first.occurred_at)}"
        if (answer := _answer(last)) is not None:
            sentence += f", last answer: {answer}"
    elif standing.since is not None:
        sentence += f", since {day(standing.since)}"
    return f"{sentence.rstrip('.')}."


def _failures_of(cause: Cause, facts: Facts, entries: Sequence[Entry]) -> Iterable[FeedbackEvent]:
    """The failures of this cause, the latest first, since a message was last delivered."""
    known = annotations(entries)
    delivered_at = facts.engagement.last_delivered_at
    for entry in entries:
        if not isinstance(entry, FeedbackEvent) or entry.kind not in _FAILURES or entry.cause is not cause:
            continue
        if delivered_at is not None and entry.occurred_at < delivered_at:
            return
        if known.out(entry) is None:
            yield entry


def _answer(event: FeedbackEvent) -> str | None:
    """The server's answer in one line, codes first, and not twice."""
    words = " ".join((event.diagnostic or "").split())
    codes = [str(event.smtp_code)] if event.smtp_code is not None else []
    codes += [event.enhanced_status] if event.enhanced_status is not None else []
    missing = [code for code in codes if code not in words]
    return " ".join([*missing, words]).strip()[:_MOST_ANSWER_CHARACTERS] or None

"""Turns mails into events: what a mail is, whom it is about, and whether to believe it.

A complaint, a bounce, a delay or a delivery without proof becomes `unverified/…`: it is kept and counted, but names
nobody and changes nothing.

Keys are made of the reporter's own word and of the mail that the report is about, so a report that arrives twice, or in
two ways, is one event. Bounces in prose have no such word: there the received mail is the event, whatever a later
version reads in it.
"""

import re
from hashlib import blake2b

import msgspec

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind, Way
from worker.providers.mail.delivery_status import ACTIONS, read_delivery_status
from worker.providers.mail.feedback_report import FEEDBACK_TYPES, read_feedback_report
from worker.providers.mail.mail_part import MailPart, read_mail_part
from worker.providers.mail.options import MailOptions
from worker.providers.mail.other_mail import (
    OTHER_MAIL,
    read_auto_reply,
    read_remaining,
    read_request_to_unsubscribe,
)
from worker.providers.mail.proof import Proof, find_proof, sent_message_id
from worker.providers.mail.prose_bounce import read_prose_bounce
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.mail.recipient import find_recipient
from worker.providers.mail.report import Report, ReportEntry
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, fit_text, metadata

VOCABULARY: dict[str, tuple[Kind, Cause]] = {
    **{f"arf/{name}": meaning for name, meaning in FEEDBACK_TYPES.items()},
    **{f"xarf/{name}": FEEDBACK_TYPES[name] for name in ("abuse", "fraud", "virus", "spamtrap")},
    "jmrp/abuse": FEEDBACK_TYPES["abuse"],
    "scomp/abuse": FEEDBACK_TYPES["abuse"],
    "abuse_mail/abuse": FEEDBACK_TYPES["abuse"],
    "spamcop/abuse": FEEDBACK_TYPES["abuse"],
    **{f"dsn/{action}": meaning for action, meaning in ACTIONS.items()},
    "bounce/failed": ACTIONS["failed"],
    "bounce/delayed": ACTIONS["delayed"],
    **OTHER_MAIL,
}
UNVERIFIED, UNMATCHED = "unverified", "unmatched"

_RAW_CHARACTERS = 16_000
_RAW_FIELDS = ("from", "to", "date", "subject", "message-id", "auto-submitted", "x-failed-recipients")


def read_mail(mail: ReceivedMail, envelope: Envelope, options: MailOptions) -> list[FeedbackEvent]:
    """One event for each recipient in the report. Raises UnreadablePayload if it is not a mail at all."""
    part = read_mail_part(mail.message)
    report = _report_of(part, mail)
    proof = find_proof(mail, part, report, options)
    reading = _Reading(
        mail=mail,
        report=report,
        options=options,
        proof=proof,
        envelope=envelope,
        identity=sent_message_id(report) or _own_identity(part, report),
        own_identity=_own_identity(part, report),
        raw=_raw(mail, part, report),
    )
    token_place = _place_of_token(report, proof)
    events = [
        _event(reading, entry, has_token=place == token_place, place=place)
        for place, entry in enumerate(report.entries)
    ]
    return list({event.event_key: event for event in reversed(events)}.values())[::-1]


class _Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One mail while it is read."""

    mail: ReceivedMail
    report: Report
    options: MailOptions
    proof: Proof
    envelope: Envelope
    identity: str | bytes  # of the mail that the report is about; if unknown, of the received mail
    own_identity: str | bytes  # of the received mail
    raw: bytes


def _report_of(part: MailPart, mail: ReceivedMail) -> Report:
    null_sender = mail.envelope_sender == "" or part.headers.get("return-path").strip() == "<>"
    return (
        read_feedback_report(part)
        or read_delivery_status(part, null_sender=null_sender)
        or read_request_to_unsubscribe(part)
        or read_auto_reply(part)
        or read_prose_bounce(part, null_sender=null_sender)
        or read_remaining(part)
    )


def _place_of_token(report: Report, proof: Proof) -> int | None:
    """The place of the entry that the token proves: the one with its address, otherwise the first failure."""
    if proof.token is None or proof.tokens_disagree:
        return None
    address = proof.token.address
    entries = list(enumerate(report.entries))
    for place, entry in entries:
        if address in entry.recipients:
            return place
    return next((place for place, entry in entries if entry.what.endswith("/failed")), 0)


def _event(reading: _Reading, entry: ReportEntry, *, has_token: bool, place: int) -> FeedbackEvent:
    proof, report, envelope = reading.proof, reading.report, reading.envelope
    token = proof.token if has_token else None
    kind, cause = entry.kind, entry.cause
    if entry.what == "arf/other" and proof.reporter is not None:
        kind, cause = Kind.COMPLAINT, Cause.ABUSE_REPORT  # this reporter sends only complaints
    if token is not None:
        address: str | None = token.address
        via = proof.token_via
        if token.account is not None:
            envelope = msgspec.structs.replace(envelope, account=token.account)
    else:
        address, via = find_recipient(
            entry,
            report,
            reading.options,
            envelope_recipient=reading.mail.envelope_recipient,
            trusts_returned=proof.trusts_returned,
        )
    who = address or next(iter(entry.recipients), None) or str(place)
    what, diagnostic, claimed_recipient = entry.what, entry.diagnostic, None
    doubt = _doubt(entry, kind, reading, has_token=has_token)
    if doubt is not None:
        kind, cause, address, claimed_recipient = (
            Kind.OTHER,
            Cause.NONE,
            None,
            address or next(iter(entry.recipients), None),
        )
        what, diagnostic, via = f"{UNVERIFIED}/{what}", f"not believed: {doubt}", ""
    elif address is None and kind is not Kind.OTHER:
        kind, cause, what = Kind.OTHER, Cause.NONE, f"{UNMATCHED}/{what}"
        diagnostic = diagnostic or "nothing in the report tells whom it is about: send your mail with a token in it"
    elif kind is Kind.OTHER and token is None:
        address, via = None, ""  # anybody can write such a mail, so it makes no contact
    details = {
        **entry.metadata,
        "recipient_via": via,
        "claimed_recipient": claimed_recipient,
        "reporter_signature": proof.reporter,
    }
    stated = sent_message_id(reading.report)
    message_id = (token.message_id if token is not None else None) or stated
    return new_event(
        envelope,
        reading.raw,
        kind=kind,
        cause=cause,
        key=_key(reading, entry, who, place, has_token=has_token),
        former_key=(
            "mail",
            what.rpartition("/")[2] if doubt is None else what,
            reading.identity,
            address or claimed_recipient or str(place),
        ),
        address=address,
        vendor_event=what,
        vendor_time=entry.occurred_at,
        recognised=entry.recognised or doubt is not None,
        failure=entry.failure,
        message_id=fit_text(message_id, MESSAGE_ID_LIMIT) if message_id else None,
        diagnostic=fit_text(diagnostic, DIAGNOSTIC_LIMIT) if diagnostic else None,
        # A mail to the address in List-Unsubscribe, mostly by the button of a mail program.
        way=Way.MAIL_CLIENT if kind is Kind.UNSUBSCRIBE and entry.what in OTHER_MAIL else None,
        metadata=metadata({name: value for name, value in details.items() if value}),
    )


def _key(reading: _Reading, entry: ReportEntry, who: str, place: int, *, has_token: bool) -> tuple[str | bytes, ...]:
    """The identity of the event. Without a proof it has another key, so that it cannot replace the genuine event."""
    proof = reading.proof
    disputed = proof.tokens_disagree or (proof.token is not None and not has_token)
    proven = has_token or (proof.reporter is not None and not disputed) or reading.options.accepts_all
    mark = "mail" if proven else "unproven mail"
    if entry.word is None:
        return (mark, reading.own_identity, next(iter(entry.recipients), None) or str(place))
    return (mark, entry.word, reading.identity, who)


def _doubt(entry: ReportEntry, kind: Kind, reading: _Reading, *, has_token: bool) -> str | None:
    """Why the entry is not believed; None if it is believed, or has no effect anyway."""
    proof = reading.proof
    if kind is Kind.OTHER or reading.options.accepts_all or has_token:
        return None
    if proof.tokens_disagree:
        return "it carries tokens that name different people"
    if proof.token is not None:
        return "its token names another recipient"
    if proof.reporter is not None and entry.what not in OTHER_MAIL:
        return None
    if not reading.options.token_secrets:
        return "no known reporter's signature was verified, and the source has no token_secrets to look for tokens"
    return "it carries no token of ours, and no known reporter's signature was verified"


def _own_identity(part: MailPart, report: Report) -> str | bytes:
    if stated := part.headers.get("message-id").strip():
        return stated
    content = report.fields or part.text()
    return blake2b(" ".join(content.split()).encode("utf-8", "replace"), digest_size=16).digest()


def _raw(mail: ReceivedMail, part: MailPart, report: Report) -> bytes:
    """The report and the header of the returned mail as text, without attachments and without its body."""
    own = [f"{name}: {value}" for name in _RAW_FIELDS for value in part.headers.all(name)[:2]]
    returned = [f"{name}: {value}" for name, value in report.returned.fields]
    pieces = ["\n".join(own), report.fields.strip() or part.text()[:4_000], "\n".join(returned)]
    text = "\n\n".join(piece for piece in pieces if piece)
    snippet = re.sub(r"\x00", "\ufffd", text)[:_RAW_CHARACTERS].encode("utf-8", "replace")
    return snippet or mail.message[:_RAW_CHARACTERS]

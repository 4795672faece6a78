"""Twilio Messaging: a form for each change of a message's status, or Event Streams in JSON; all signed with the URL.

https://www.twilio.com/docs/messaging/guides/track-outbound-message-status

Incoming messages may come to the same URL: the keywords by which people opt out and in are read from them. Not
documented: how a URL with user and password is signed (both ways are tried), and whether Event Streams ever have
`OptOutType` (the default keywords are read from the text there).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Channel, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody, Element
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.form_payload import decode_form
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.vendors.twilio.twilio_errors import (
    CARRIER_CODES,
    CHANNEL_CODES,
    CODES,
    INCOMING_CODES,
    LANDLINE_OR_CARRIER,
    TWILIO_CODES,
    UNREACHABLE_FROM_SHORT_CODE,
)
from worker.providers.vendors.twilio.twilio_signature import SIGNATURE_HEADER, TwilioSignature

# -- How it authenticates ------------------------------------------------------------------------------------
# https://www.twilio.com/docs/usage/webhooks/webhooks-security

# worker.providers.vendors.twilio.twilio_signature

# -- What its events are -------------------------------------------------------------------------------------
# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values

STATUSES: dict[str, tuple[Kind, Cause]] = {
    "accepted": (Kind.ACCEPTED, Cause.NONE),
    "scheduled": (Kind.ACCEPTED, Cause.NONE),
    "queued": (Kind.ACCEPTED, Cause.NONE),
    "sending": (Kind.ACCEPTED, Cause.NONE),
    "sent": (Kind.ACCEPTED, Cause.NONE),  # the next carrier has it; nothing is known of the handset
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "partially_delivered": (Kind.DELIVERED, Cause.NONE),  # some segments: the number is alive
    "read": (Kind.OPENED, Cause.NONE),
    "undelivered": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # the code says which
    "failed": (Kind.DROPPED, Cause.UNDETERMINED),  # Twilio did not send it; the code says why
    "canceled": (Kind.OTHER, Cause.NONE),  # by ourselves, before its time
    "receiving": (Kind.OTHER, Cause.NONE),  # somebody wrote to us
    "received": (Kind.OTHER, Cause.NONE),
}

# https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out: `OptOutType` of an incoming message
OPT_OUT_TYPES: dict[str, tuple[Kind, Cause]] = {
    "STOP": (Kind.UNSUBSCRIBE, Cause.NONE),
    "START": (Kind.RESUBSCRIBE, Cause.NONE),
    "HELP": (Kind.OTHER, Cause.NONE),
}
# The words that Twilio obeys without Advanced Opt-Out if a message has no other. `YES` opts in too, but it answers many
# questions, and would take back an opt-out that the person made elsewhere.
DEFAULT_KEYWORDS: dict[str, str] = {
    **dict.fromkeys(("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"), "STOP"),
    **dict.fromkeys(("START", "UNSTOP"), "START"),
}

# https://www.twilio.com/docs/events/event-types/messaging/outbound-message
STREAM_PREFIX = "com.twilio.messaging.message."
STREAM_INBOUND = "com.twilio.messaging.inbound-message.received"
STREAM_TEST = "com.twilio.eventstreams.test-event"  # of a sink that is being tried

_TEST = (Kind.OTHER, Cause.TEST)

# -- Why it happened: twilio_errors.py -----------------------------------------------------------------------
# https://www.twilio.com/docs/api/errors


def _vocabulary() -> dict[str, tuple[Kind, Cause]]:
    words = dict(STATUSES)
    words |= {f"undelivered/{code}": meaning for code, meaning in (CARRIER_CODES | CHANNEL_CODES).items()}
    words |= {f"failed/{code}": meaning for code, meaning in TWILIO_CODES.items()}
    words |= {f"received/{opt_out}": meaning for opt_out, meaning in OPT_OUT_TYPES.items()}
    return words | {STREAM_TEST: _TEST}


# -- How it is read ------------------------------------------------------------------------------------------

_INBOUND = frozenset({"receiving", "received"})

_BATCH = BatchBody("Twilio Event Streams")


def elements(envelope: Envelope) -> Iterable[Element] | None:
    """The events of Event Streams; a form is one event."""
    return _BATCH.elements(envelope.body) if _is_stream(envelope.body) else None


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of a form, or those of Event Streams; raises UnreadablePayload."""
    if _is_stream(envelope.body):
        return read_elements(_BATCH.elements(envelope.body), envelope, _read_element)
    fields = decode_form(envelope.body, "Twilio callback")
    # An incoming message has only the older of the two names.
    status = json_payload.text(fields, "MessageStatus", WORD_LIMIT) or json_payload.text(
        fields, "SmsStatus", WORD_LIMIT
    )
    report = _Told(
        status=(status or "").lower(),
        sender=json_payload.text(fields, "From"),
        recipient=json_payload.text(fields, "To"),
        message_id=json_payload.text(fields, "MessageSid", MESSAGE_ID_LIMIT)
        or json_payload.text(fields, "SmsSid", MESSAGE_ID_LIMIT),
        code=json_payload.integer(fields, "ErrorCode"),
        words=json_payload.text(fields, "ErrorMessage") or json_payload.text(fields, "ChannelStatusMessage"),
        opt_out=_opt_out(json_payload.text(fields, "OptOutType", WORD_LIMIT), fields.get("Body")),
    )
    if not report.status:
        raise UnreadablePayload("Twilio callback: it tells no MessageStatus: is it about a message, or about a call?")
    return [_event(report, envelope.body, envelope)]


def _is_stream(body: bytes) -> bool:
    return body.lstrip()[:1] in {b"[", b"{"}


class _Told(Struct, frozen=True, kw_only=True, gc=False):
    """The content that a form and an element of Event Streams have in common."""

    status: str  # in lower case
    sender: str | None
    recipient: str | None
    message_id: str | None
    code: int | None
    words: str | None
    opt_out: str  # of an incoming message: a key of OPT_OUT_TYPES, what Twilio wrote, or ""
    when: datetime | None = None  # a form has only the carrier's `RawDlrDoneDate`, in a zone that nobody tells
    metadata: dict[str, Any] | None = None


def _opt_out(stated: str | None, body: object) -> str:
    if stated is not None:
        return stated.upper()
    return DEFAULT_KEYWORDS.get(body.strip().upper(), "") if isinstance(body, str) else ""


def _read_element(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    name = json_payload.text(values, "type", WORD_LIMIT)
    data = json_payload.child(values, "data")
    if name is None:
        return None
    inbound = name == STREAM_INBOUND
    report = _Told(
        status="received" if inbound else _status(name, json_payload.text(data, "messageStatus", WORD_LIMIT)),
        sender=json_payload.text(data, "from"),
        recipient=json_payload.text(data, "to"),
        message_id=json_payload.text(data, "messageSid", MESSAGE_ID_LIMIT),
        code=json_payload.integer(data, "errorCode"),
        words=None,
        opt_out=_opt_out(None, data.get("body")) if inbound else "",
        when=from_iso(data.get("timestamp")),
        metadata=json_payload.metadata(data.get("tags")),
    )
    return _event(report, raw, envelope)


def _status(name: str, stated: str | None) -> str:
    """The status in an event of Event Streams; for an event of another product, its whole name."""
    if not name.startswith(STREAM_PREFIX):
        return name
    return (stated or name.removeprefix(STREAM_PREFIX)).lower()


def _event(report: _Told, raw: bytes, envelope: Envelope) -> FeedbackEvent:
    if report.recipient is None and report.status in STATUSES:
        raise UnreadablePayload("Twilio callback: it tells of a message to nobody: To is missing")
    inbound = report.status in _INBOUND or report.code in INCOMING_CODES
    kind, cause, word, recognised = _meaning(report)
    person = report.sender if inbound else report.recipient
    # `whatsapp:+49…`, `messenger:…`, `rcs:…` are other channels: the number's texts are not in question.
    if any(":" in (party or "") for party in (report.sender, report.recipient)):
        kind, cause, person = Kind.OTHER, Cause.NONE, None
    elif inbound and kind is Kind.OTHER:
        person = None  # somebody wrote to us: this is not feedback about our message
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        # The same for the form and for the stream, so that a source which gets both counts once.
        key=(report.message_id, report.status, report.recipient) if report.message_id is not None else (raw,),
        address=person,
        vendor_event=word,
        recognised=recognised,
        vendor_time=report.when,
        message_id=report.message_id,
        diagnostic=report.words,
        metadata=report.metadata,
        channel=Channel.SMS,
    )


def _meaning(report: _Told) -> tuple[Kind, Cause, str, bool]:
    """Kind and cause, Twilio's words for it, and whether they are known."""
    if report.status in _INBOUND and report.opt_out:
        kind, cause = OPT_OUT_TYPES.get(report.opt_out, (Kind.OTHER, Cause.NONE))
        return kind, cause, f"{report.status}/{report.opt_out}", report.opt_out in OPT_OUT_TYPES
    if report.status == STREAM_TEST:
        return *_TEST, STREAM_TEST, True
    kind, cause = STATUSES.get(report.status, (Kind.OTHER, Cause.NONE))
    if report.status not in {"undelivered", "failed"} or not report.code:
        return kind, cause, report.status, report.status in STATUSES
    kind, cause = CODES.get(report.code, (kind, cause))
    if report.code == LANDLINE_OR_CARRIER and (report.sender or "").isdecimal():
        kind, cause = UNREACHABLE_FROM_SHORT_CODE  # which alone are written without a plus
    return kind, cause, f"{report.status}/{report.code}", report.code in CODES


PROVIDER = Provider(
    name="twilio",
    title="Twilio Messaging",
    documentation="https://www.twilio.com/docs/messaging/guides/track-outbound-message-status",
    proof="HMAC-SHA1 of the webhook's URL and the form's fields",
    secret_help="the account's Auth Token: Console > Account Dashboard > Account Info",
    schemes={
        "": TwilioSignature(header=SIGNATURE_HEADER),
        "basic": BasicCredentials(),
    },
    batches=True,  # Event Streams
    batch=_BATCH,
    account_paths={"subaccount": "AccountSid || data.accountSid"},
    vocabulary=_vocabulary(),
    elements=elements,
    parse=parse,
)

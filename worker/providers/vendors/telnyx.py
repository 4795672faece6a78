"""Telnyx Messaging: one JSON event a request, with an Ed25519 signature over the time and the body.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks

Not documented: whether a retry is signed anew (signatures are good for a day here), and which of the API's own error
codes can come in a webhook too (all that concern a message are listed).
"""

from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Channel, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.public_key import PublicKeySignature
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, WORD_LIMIT, fit_text
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://developers.telnyx.com/docs/development/api-fundamentals/webhooks

SIGNATURE_HEADER = "telnyx-signature-ed25519"
TIMESTAMP_HEADER = "telnyx-timestamp"
SEPARATOR = "|"

# -- What its events are -------------------------------------------------------------------------------------
# https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks: the event, and `to[].status`

OUTBOUND = frozenset({"message.sent", "message.finalized"})
INBOUND = "message.received"
STATUSES: dict[str, tuple[Kind, Cause]] = {
    "scheduled": (Kind.ACCEPTED, Cause.NONE),
    "queued": (Kind.ACCEPTED, Cause.NONE),
    "sending": (Kind.ACCEPTED, Cause.NONE),
    "sent": (Kind.ACCEPTED, Cause.NONE),  # the carrier has it
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "delivery_unconfirmed": (Kind.ACCEPTED, Cause.NONE),  # the carrier never said
    "delivery_failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # the code says which
    "sending_failed": (Kind.DROPPED, Cause.UNDETERMINED),  # no carrier took it; the code says why
    "expired": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "cancelled": (Kind.OTHER, Cause.NONE),  # by ourselves, before its time
}
_FAILURES = frozenset({"delivery_failed", "sending_failed", "expired"})

# https://developers.telnyx.com/docs/messaging/messages/advanced-opt-in-out: `autoresponse_type`
AUTORESPONSE_TYPES: dict[str, tuple[Kind, Cause]] = {
    "STOP": (Kind.UNSUBSCRIBE, Cause.NONE),
    "START": (Kind.RESUBSCRIBE, Cause.NONE),
    "HELP": (Kind.OTHER, Cause.NONE),
}
# The same page: what is obeyed without a configuration, where the message is these words alone.
DEFAULT_KEYWORDS: dict[str, str] = {
    **dict.fromkeys(("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"), "STOP"),
    **dict.fromkeys(("START", "UNSTOP"), "START"),
}

# -- Why it happened -----------------------------------------------------------------------------------------
# https://developers.telnyx.com/docs/messaging/messages/error-codes: `errors[].code`

_NO_MOBILE = (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
_UNREADABLE = (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)
_FILTERED = (Kind.BLOCKED, Cause.CONTENT)
_TOO_LARGE = (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE)
_TOO_FAST = (Kind.BLOCKED, Cause.RATE_LIMITED)
_BAD_NAME = (Kind.BLOCKED, Cause.SENDER_REPUTATION)
_UNREGISTERED = (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION)
_SET_UP_WRONG = (Kind.BLOCKED, Cause.SENDER_CONFIGURATION)

STOP_CODE = "40300"
CODES: dict[str, tuple[Kind, Cause]] = {
    "40001": _NO_MOBILE,  # not routable: a landline
    "40002": _FILTERED,  # as spam, for now
    "40003": _BAD_NAME,  # as spam, our number for good
    "40004": _UNREADABLE,  # the carrier refused and does not say why
    "40005": (Kind.SOFT_BOUNCE, Cause.EXPIRED),  # on the way
    "40006": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),  # the carrier's server is down
    "40008": _UNREADABLE,  # undeliverable: the carrier did not take it
    "40009": _FILTERED,  # what it says
    "40010": _UNREGISTERED,  # 10DLC
    "40011": _TOO_FAST,
    "40012": _NO_MOBILE,  # the recipient's number is not a phone number
    "40013": _SET_UP_WRONG,  # our number is not a phone number
    "40014": _TOO_FAST,  # it expired in the queue, which only our own speed fills
    "40015": _FILTERED,  # by Telnyx itself
    "40016": _TOO_FAST,  # T-Mobile, 10DLC
    "40017": _FILTERED,  # AT&T, 10DLC
    "40018": _TOO_FAST,  # AT&T, 10DLC
    "40100": _SET_UP_WRONG,  # our number has no messaging
    "40150": _SET_UP_WRONG,  # our toll-free number is in no registry
    "40151": _SET_UP_WRONG,  # our number is still another provider's
    # The person has written STOP. Telnyx blocks by itself, and often nobody else was told: it is the wish here, and
    # not an echo of one.
    STOP_CODE: (Kind.UNSUBSCRIBE, Cause.NONE),
    "40301": _SET_UP_WRONG,  # no such type of message to there
    "40302": _TOO_LARGE,
    "40304": _SET_UP_WRONG,
    "40305": _SET_UP_WRONG,  # 'from'
    "40306": _SET_UP_WRONG,  # an alphanumeric sender
    "40308": _SET_UP_WRONG,  # 'from' for MMS
    "40309": _SET_UP_WRONG,  # the region is not enabled
    "40310": _NO_MOBILE,  # 'to'
    "40311": _SET_UP_WRONG,
    "40312": _SET_UP_WRONG,  # the profile is disabled
    "40313": _SET_UP_WRONG,
    "40314": _SET_UP_WRONG,  # the account has no messaging
    "40315": _BAD_NAME,  # an unhealthy 'from'
    "40316": _SET_UP_WRONG,  # nothing to send
    "40317": _TOO_LARGE,  # the media
    "40318": _TOO_FAST,  # the queue is full
    "40319": _SET_UP_WRONG,
    "40320": _SET_UP_WRONG,  # 'from' is still being bought
    "40321": _SET_UP_WRONG,  # a profile without numbers
    "40322": _FILTERED,
    "40328": _TOO_LARGE,
    "40329": _UNREGISTERED,  # a toll-free number that is not verified
}


def _vocabulary() -> dict[str, tuple[Kind, Cause]]:
    words = dict(STATUSES)
    words |= {f"delivery_failed/{code}": meaning for code, meaning in CODES.items()}
    words |= {"received": (Kind.OTHER, Cause.NONE)}
    return words | {f"received/{word}": meaning for word, meaning in AUTORESPONSE_TYPES.items()}


# -- How it is read ------------------------------------------------------------------------------------------

_TEXTS = frozenset({"SMS", "MMS"})  # RCS and WhatsApp are other channels


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """An event for each recipient of the message; raises UnreadablePayload."""
    data = json_payload.child(json_payload.decode_object(envelope.body, "Telnyx webhook"), "data")
    name = json_payload.text(data, "event_type", WORD_LIMIT)
    if name is None:
        raise UnreadablePayload("Telnyx webhook: it has no data.event_type: is it a webhook of API v2?")
    payload = json_payload.child(data, "payload")
    if name == INBOUND:
        return [_read_inbound(data, payload, envelope)]
    listed = payload.get("to")
    recipients = [to for to in listed if isinstance(to, dict)] if isinstance(listed, list) else []
    if name not in OUTBOUND:
        first = json_payload.text(recipients[0], "phone_number") if recipients else None
        return [_new(data, payload, envelope, number=first, counts=False, kind=Kind.OTHER, word=name, recognised=False)]
    if not recipients:
        raise UnreadablePayload("Telnyx webhook: it tells of a message to nobody: data.payload.to is empty")
    return [_read_recipient(name, to, data, payload, envelope) for to in recipients]


def _read_recipient(
    name: str, to: dict[str, Any], data: dict[str, Any], payload: dict[str, Any], envelope: Envelope
) -> FeedbackEvent:
    status = json_payload.text(to, "status", WORD_LIMIT) or name.removeprefix("message.")
    kind, cause = STATUSES.get(status, (Kind.OTHER, Cause.NONE))
    word, recognised, diagnostic = status, status in STATUSES, None
    if status in _FAILURES and (error := _first_error(payload)):
        code = json_payload.text(error, "code", WORD_LIMIT)
        diagnostic = _words(error)
        if code is not None:
            kind, cause = _by_code(code, diagnostic, (kind, cause))
            word, recognised = f"{status}/{code}", code in CODES
    return _new(
        data,
        payload,
        envelope,
        number=json_payload.text(to, "phone_number"),
        kind=kind,
        cause=cause,
        word=word,
        recognised=recognised,
        diagnostic=diagnostic,
    )


def _by_code(code: str, words: str | None, otherwise: tuple[Kind, Cause]) -> tuple[Kind, Cause]:
    if code == STOP_CODE and words is not None and not any(sign in words.lower() for sign in ("stop", "block rule")):
        return _SET_UP_WRONG  # the same number stands for a sender that may not send, too
    return CODES.get(code, otherwise)


def _read_inbound(data: dict[str, Any], payload: dict[str, Any], envelope: Envelope) -> FeedbackEvent:
    keyword = json_payload.text(payload, "autoresponse_type", WORD_LIMIT)
    if keyword is None:
        keyword = DEFAULT_KEYWORDS.get((json_payload.text(payload, "text") or "").strip().upper())
    kind, cause = AUTORESPONSE_TYPES.get((keyword or "").upper(), (Kind.OTHER, Cause.NONE))
    sender = json_payload.text(json_payload.child(payload, "from"), "phone_number")
    return _new(
        data,
        payload,
        envelope,
        number=sender,
        # Somebody who only writes to us gives no feedback about a message of ours.
        counts=kind is not Kind.OTHER,
        kind=kind,
        cause=cause,
        word=f"received/{keyword.upper()}" if keyword else "received",
        recognised=not keyword or keyword.upper() in AUTORESPONSE_TYPES,
    )


def _new(
    data: dict[str, Any],
    payload: dict[str, Any],
    envelope: Envelope,
    *,
    number: str | None,
    kind: Kind,
    word: str,
    recognised: bool,
    cause: Cause = Cause.NONE,
    diagnostic: str | None = None,
    counts: bool = True,
) -> FeedbackEvent:
    """The event; it names the person of this number when it `counts`, otherwise nobody."""
    if (json_payload.text(payload, "type", WORD_LIMIT) or "SMS").upper() not in _TEXTS:
        kind, cause, counts = Kind.OTHER, Cause.NONE, False
    event_id = json_payload.text(data, "id", WORD_LIMIT)
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(event_id or envelope.body, number),
        former_key=None if counts else (event_id or envelope.body, None),
        address=number if counts else None,
        vendor_event=word,
        recognised=recognised,
        vendor_time=from_iso(data.get("occurred_at")),
        message_id=json_payload.text(payload, "id", MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        tags=json_payload.tags(payload, "tags"),
        channel=Channel.SMS,
    )


def _first_error(payload: dict[str, Any]) -> dict[str, Any] | None:
    errors = payload.get("errors")
    return errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else None


def _words(error: dict[str, Any]) -> str | None:
    texts = [text for name in ("title", "detail") if (text := json_payload.text(error, name))]
    return fit_text(": ".join(texts), DIAGNOSTIC_LIMIT) if texts else None


PROVIDER = Provider(
    name="telnyx",
    title="Telnyx Messaging",
    documentation="https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
    proof="Ed25519 signature over time and body",
    secret_help="the account's public key: Mission Control > Keys & Credentials > Public Key",
    schemes={
        "": PublicKeySignature(
            header=SIGNATURE_HEADER, algorithm="ed25519", timestamp_header=TIMESTAMP_HEADER, separator=SEPARATOR
        )
    },
    account_paths={"subaccount": "data.payload.organization_id"},
    vocabulary=_vocabulary(),
    parse=parse,
)

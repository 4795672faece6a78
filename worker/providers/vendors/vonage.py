"""Vonage Messages API: one JSON status a request, with a signed token that carries the body's hash.

https://developer.vonage.com/en/messages/concepts/messages-status-callbacks

Delivery receipts of the older SMS API have another shape and another signature and are not read. Incoming
messages are ignored: which keywords Vonage obeys depends on country and sender, and error 1240 reports it afterwards.
Not documented: whether a retry is signed anew, so signatures are good for two days, twice the time of its retries.
"""

import binascii
import hmac
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Channel, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.comparison import as_bytes, texts_match
from worker.providers.authentication.freshness import TIME_OPTIONS, Freshness, freshness_of, refuse_stale
from worker.providers.authentication.hmac_signature import bad_signature, body_hash
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_time import bad_time, numeric_date
from worker.providers.authentication.source_options import Option
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, WORD_LIMIT, fit_text
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://developer.vonage.com/en/messages/concepts/signed-webhooks

MAX_AGE_SECONDS = 48 * 3600
PAYLOAD_HASH = "payload_hash"

_BEARER = "bearer "
_LONGEST_TOKEN = 8_000
_UNSIGNED = Refused(
    reason="missing_signature",
    detail="the request has no token in its header Authorization: Vonage sends such ones when its signing fails, and "
    "again when they are refused; where all come so, switch webhook signing on, or a proxy takes the header away",
    http_status=503,  # according to Vonage, it tries again then
)


class SignedToken(Struct, frozen=True):
    """`Authorization: Bearer` with a token (RFC 7519, HS256) that says when it was signed, and the body's SHA-256.

    Without PyJWT, which json_web_token.py uses: it warns of each key below 32 bytes, and Vonage's may be shorter.
    """

    unproven_bytes: ClassVar[int | None] = None
    options: ClassVar[tuple[Option[Any], ...]] = TIME_OPTIONS

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and age limits."""
        freshness = freshness_of(source, default_max_age_seconds=MAX_AGE_SECONDS)
        return partial(self._refuse, secrets=source.secrets, freshness=freshness)

    def _refuse(
        self, request: WebhookRequest, now: datetime, *, secrets: Sequence[Secret], freshness: Freshness
    ) -> Refused | None:
        """None if the token is signed with one of the secrets, belongs to this body, and is recent."""
        header = request.headers.get("authorization", "")
        if header[: len(_BEARER)].lower() != _BEARER:
            return _UNSIGNED
        claims = _claims(header[len(_BEARER) :].strip(), secrets)
        if claims is None:
            return bad_signature()
        stated = json_payload.text(claims, PAYLOAD_HASH) or ""
        if not texts_match(stated.lower(), body_hash(request.body, "sha256")):
            return bad_signature()
        signed_at = numeric_date(claims.get("iat"))
        if signed_at is None:
            return bad_time(str(claims.get("iat")))
        return refuse_stale(signed_at, freshness, now=now)

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text can be a key."""
        return []


def signed_token(claims: bytes, secret: str) -> str:
    """The token of these claims, as Vonage makes it."""
    message = b".".join(_encode(part) for part in (b'{"alg":"HS256","typ":"JWT"}', claims))
    return (message + b"." + _encode(hmac.digest(as_bytes(secret), message, "sha256"))).decode()


def _claims(token: str, secrets: Sequence[Secret]) -> dict[str, Any] | None:
    """What the token says, when one of the secrets fits it and it names no other way of signing."""
    message, _, signature = token.rpartition(".")
    signatures = [
        _encode(hmac.digest(as_bytes(secret.reveal()), as_bytes(message), "sha256"))
        for secret in secrets
        if secret.reveal()  # everybody knows the empty key
    ]
    matches = [texts_match(signature.rstrip("="), one) for one in signatures]
    if len(token) > _LONGEST_TOKEN or not any(matches):
        return None
    header, _, claims = message.partition(".")
    if "." in claims:
        return None
    try:
        stated = json_payload.decode_object(_decode(header), "token's header")
        values = json_payload.decode_object(_decode(claims), "token")
    except (UnreadablePayload, binascii.Error, ValueError):
        return None
    return values if stated.get("alg") == "HS256" else None


def _encode(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")


def _decode(part: str) -> bytes:
    return b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


# -- What its events are -------------------------------------------------------------------------------------
# https://developer.vonage.com/en/messages/concepts/messages-status-callbacks

STATUSES: dict[str, tuple[Kind, Cause]] = {
    "submitted": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "read": (Kind.OPENED, Cause.NONE),
    "rejected": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # by Vonage or by the carrier: the code says
    "undeliverable": (Kind.DROPPED, Cause.SERVER_UNAVAILABLE),  # Vonage could not reach its supplier
}
INBOUND = "inbound"

# -- Why it happened -----------------------------------------------------------------------------------------
# https://developer.vonage.com/en/api-errors/messages

_GONE = (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)
_NO_NUMBER = (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
_UNREACHABLE = (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)
_CLOSED = (Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED)
_FILTERED = (Kind.BLOCKED, Cause.CONTENT)
_TOO_FAST = (Kind.BLOCKED, Cause.RATE_LIMITED)
_SET_UP_WRONG = (Kind.BLOCKED, Cause.SENDER_CONFIGURATION)
_NOT_TRIED = (Kind.DROPPED, Cause.SERVER_UNAVAILABLE)
_NO_NEWS = (Kind.OTHER, Cause.NONE)

CODES: dict[str, tuple[Kind, Cause]] = {
    "1000": _TOO_FAST,
    "1010": _SET_UP_WRONG,
    "1020": _SET_UP_WRONG,
    "1021": _SET_UP_WRONG,
    "1022": _SET_UP_WRONG,
    "1030": _NOT_TRIED,  # Vonage's own fault
    "1040": _SET_UP_WRONG,  # a message that could not be processed, perhaps for its number's prefix
    "1050": _CLOSED,  # the number is on a block list
    "1060": _SET_UP_WRONG,  # the account is barred
    "1070": _SET_UP_WRONG,  # out of credit
    "1080": _SET_UP_WRONG,
    "1090": (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE),
    "1100": _NOT_TRIED,
    "1110": _SET_UP_WRONG,
    "1120": (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),  # a sender id that is not registered there
    "1130": _SET_UP_WRONG,
    "1140": _SET_UP_WRONG,
    "1150": _SET_UP_WRONG,
    "1160": _SET_UP_WRONG,  # a trial account: not on the list of its numbers
    "1170": _NO_NUMBER,
    "1180": _UNREACHABLE,  # absent for now: off, or out of coverage
    "1190": _GONE,  # absent for good: "remove this phone number"
    "1200": _UNREACHABLE,  # the number has moved to another carrier
    "1210": _FILTERED,
    "1220": _UNREACHABLE,  # the handset is busy
    "1230": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    # The person has written STOP. Vonage blocks by itself, and nobody else was told: it is the wish here, and not an
    # echo of one.
    "1240": (Kind.UNSUBSCRIBE, Cause.NONE),
    "1241": _TOO_FAST,
    "1250": _UNREACHABLE,  # no route from this sender to there
    "1260": _UNREACHABLE,
    "1270": _FILTERED,  # not for the person's age
    "1280": _CLOSED,  # by the carrier: a plan without texts, a suspended account
    "1290": _CLOSED,  # a prepaid number without the credit to receive
    "1300": _NO_NEWS,  # this and the next of other channels
    "1310": _NO_NEWS,
    "1320": _NO_NEWS,  # sent before
    "1330": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # the carrier gives no reason
    "1340": _NO_NEWS,
    "1350": _NO_NEWS,
    "1360": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "1370": _NO_NEWS,
}

# -- How it is read ------------------------------------------------------------------------------------------

_TEXTS = frozenset({"sms", "mms"})  # the others are other channels


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, "Vonage webhook")
    return [_read_event(values, envelope)]


def _read_event(values: dict[str, Any], envelope: Envelope) -> FeedbackEvent:
    status = json_payload.text(values, "status", WORD_LIMIT)
    number, channel = _party(values, "to")
    recipient_key = number
    if status is None and "message_type" in values:
        status, number = INBOUND, None  # somebody wrote to us: this is not feedback about our message
    elif status is None or number is None:
        raise UnreadablePayload("Vonage webhook: it has no status, or nobody in to: is it the Messages API's?")
    kind, cause, word, recognised = _meaning(status, values)
    if channel not in _TEXTS:
        kind, cause, number = *_NO_NEWS, None
    message_id = json_payload.text(values, "message_uuid", MESSAGE_ID_LIMIT)
    reference = json_payload.text(values, "client_ref", WORD_LIMIT)
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(message_id, status, recipient_key) if message_id is not None else (envelope.body,),
        former_key=(message_id, status, None) if number is None and message_id is not None else None,
        address=number,
        vendor_event=word,
        recognised=recognised,
        vendor_time=from_iso(values.get("timestamp")),
        message_id=message_id,
        diagnostic=_words(values),
        metadata={"client_ref": reference} if reference is not None else None,
        channel=Channel.SMS,
    )


def _party(values: dict[str, Any], key: str) -> tuple[str | None, str]:
    """The number with its plus, which Vonage leaves out, and the channel; version 0.1 has both in one object."""
    party = json_payload.child(values, key)
    number = json_payload.text(party, "number") if party else json_payload.text(values, key)
    channel = json_payload.text(values, "channel", WORD_LIMIT) or json_payload.text(party, "type", WORD_LIMIT) or "sms"
    return (f"+{number.lstrip('+')}" if number is not None else None), channel.lower()


def _meaning(status: str, values: dict[str, Any]) -> tuple[Kind, Cause, str, bool]:
    """Kind and cause, Vonage's words for it, and whether they are known."""
    if status == INBOUND:
        return *_NO_NEWS, INBOUND, True
    kind, cause = STATUSES.get(status, _NO_NEWS)
    code = _code(json_payload.child(values, "error")) if status in {"rejected", "undeliverable"} else None
    if code is None:
        return kind, cause, status, status in STATUSES
    kind, cause = CODES.get(code, (kind, cause))
    return kind, cause, f"{status}/{code}", code in CODES


def _code(error: dict[str, Any]) -> str | None:
    """The number of the error: in `title`, otherwise behind the # of `type`; version 0.1 has `code`."""
    written = (
        json_payload.text(error, "title", WORD_LIMIT),
        (json_payload.text(error, "type") or "").rpartition("#")[2],
        json_payload.text(error, "code", WORD_LIMIT),
    )
    return next((text for text in written if text and text.isascii() and text.isdecimal()), None)


def _words(values: dict[str, Any]) -> str | None:
    error = json_payload.child(values, "error")
    text = json_payload.text(error, "detail") or json_payload.text(error, "reason")
    return fit_text(text, DIAGNOSTIC_LIMIT) if text else None


PROVIDER = Provider(
    name="vonage",
    title="Vonage Messages",
    documentation="https://developer.vonage.com/en/messages/concepts/messages-status-callbacks",
    proof="signed token (JWT, HS256) with the SHA-256 of the body",
    secret_help="the account's signature secret: Dashboard > API Settings",
    schemes={"": SignedToken()},
    account_paths={},  # only the token names the account
    vocabulary={
        **STATUSES,
        **{f"rejected/{code}": meaning for code, meaning in CODES.items()},
        INBOUND: _NO_NEWS,
    },
    parse=parse,
)

"""ZeptoMail: one webhook is about one mail, as JSON or as a form with one field of JSON, signed with the agent's key.

https://www.zoho.com/zeptomail/help/webhooks.html

The documentation leaves open what is signed. Public implementations that work sign the JSON alone, so the time beside
the signature proves nothing about its age; the JSON with that time before it is accepted as well, and nothing else. The
page lists bounces, opens, clicks and complaints; `delivered` is read from public implementations. When ZeptoMail sends
again is not documented, nor what its test looks like.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar
from urllib.parse import unquote

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.comparison import as_bytes, texts_match
from worker.providers.authentication.configured_header import ConfiguredHeader
from worker.providers.authentication.credentials import QueryToken
from worker.providers.authentication.hmac_signature import bad_signature, missing_signature
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_time import read_signed_time
from worker.providers.authentication.source_options import Option
from worker.providers.classification.failure import classify
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.form_payload import decode_form_bytes
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider
from worker.providers.verdict import Answered, Refused
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://www.zoho.com/zeptomail/help/webhooks.html ("Authorization headers")

SIGNATURE_HEADER = "producer-signature"
_ALGORITHM = "hmacsha256"
_WHAT = "ZeptoMail webhook"
_FORM = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*=[^&]*\Z")  # one field


class ProducerSignature(Struct, frozen=True):
    """`ts=<milliseconds>;s=<base64, percent-encoded>;s-algorithm=HmacSHA256` over the JSON."""

    options: ClassVar[tuple[Option[Any], ...]] = ()
    unproven_bytes: ClassVar[int | None] = 1024 * 1024  # of one message; a form is read for the JSON in it

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets."""
        return partial(self._refuse, secrets=source.secrets)

    def _refuse(self, request: WebhookRequest, _now: datetime, *, secrets: Sequence[Secret]) -> Refused | None:
        """None if the signature matches one of the source's keys."""
        header = request.headers.get(SIGNATURE_HEADER, "")
        parts = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in header.split(";"))}
        if not parts.get("s"):
            return missing_signature(SIGNATURE_HEADER)
        # A time is signed before the JSON, or before a form's name, with nothing between: neither begins like a time.
        if not _is_json(request.body) and not _FORM.match(request.body):
            return bad_signature()
        time = parts.get("ts", "")
        try:
            signature = base64.b64decode(unquote(parts["s"]), validate=True)
            payload = as_json(request.body)
        except (binascii.Error, ValueError, UnreadablePayload):
            return bad_signature()
        if not _is_json(payload) or parts.get("s-algorithm", _ALGORITHM).lower() != _ALGORITHM:
            return bad_signature()
        messages = [payload]
        if payload != request.body:
            messages.append(request.body)
        if read_signed_time(time, "milliseconds") is not None:
            messages += [time.encode() + message for message in messages]
        matches = [
            texts_match(signature, hmac.digest(as_bytes(secret.reveal()), message, "sha256"))
            for secret in secrets
            if secret.reveal()
            for message in messages
        ]
        return None if any(matches) else bad_signature()

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text can be a key."""
        return []


def as_json(body: bytes) -> bytes:
    """The JSON of the body, or of the only field of a form."""
    if _is_json(body):
        return body
    return next(iter(decode_form_bytes(body, _WHAT).values()), b"")


def _is_json(text: bytes) -> bool:
    return text.lstrip()[:1] in (b"{", b"[")


# -- What its events are, and why ----------------------------------------------------------------------------
# https://www.zoho.com/zeptomail/help/webhooks.html

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "delivered": (Kind.DELIVERED, Cause.NONE),
    # The server's own words have the last say about both.
    "softbounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "hardbounce": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "fbl_compliant": (Kind.COMPLAINT, Cause.ABUSE_REPORT),  # ZeptoMail's spelling of "complaint"
    "fbl_complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "email_open": (Kind.OPENED, Cause.NONE),
    "email_link_click": (Kind.CLICKED, Cause.NONE),
}
_BOUNCES = frozenset({"softbounce", "hardbounce"})
_OF_THE_ONLY_RECIPIENT = frozenset({"delivered", "email_open", "email_link_click"})  # their details name nobody

# -- How it is read ------------------------------------------------------------------------------------------
# Everything is an array in an array: event_message[].event_data[].details[]. For a single one the array may be missing.

_MOST_DETAILS = 100  # each gets a copy of the whole


def answer_probe(request: WebhookRequest) -> Answered | Refused | None:
    """Answers 200 to the GET with which ZeptoMail tests a URL before it saves a webhook."""
    if request.method != "GET":
        return None
    return Answered(reason="url_tried", detail="the URL answers; each webhook must prove itself anyway")


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each of the details; raises UnreadablePayload."""
    raw = as_json(envelope.body)
    if raw is not envelope.body:
        raw = raw.decode("utf-8", "replace").encode()  # a form's bytes may be anything
    values = json_payload.decode_object(raw, _WHAT)
    event_name = values.get("event_name")
    names = [
        name
        for name in (event_name if isinstance(event_name, list) else [event_name])
        if isinstance(name, str) and name
    ]
    if not names:
        raise UnreadablePayload(f"{_WHAT}: it names no event in event_name")
    events: list[FeedbackEvent] = []
    for place, message in enumerate(_objects(values.get("event_message"))):
        for block in _objects(message.get("event_data")):
            event_name, of_block = names[place] if place < len(names) else names[0], block.get("object")
            words = (event_name, of_block if isinstance(of_block, str) else None)
            details = _objects(block.get("details"))
            if len(events) + len(details) > _MOST_DETAILS:
                raise UnreadablePayload(f"{_WHAT}: it has more than {_MOST_DETAILS} details, and is about one mail")
            events += [_read_event(words, message, detail, raw, envelope) for detail in details]
    return events


def _objects(value: object) -> list[dict[str, Any]]:
    """The objects of an array, or the only one; an empty one if it is missing."""
    items = [item for item in value if isinstance(item, dict)] if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)] or [{}]


def _addresses(value: object) -> Iterator[str]:
    """Every address in what may be a text, an object with an address, or an array of them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value[:1_000]:
            if isinstance(item, (str, dict)):
                yield from _addresses(item)
    elif isinstance(value, dict):
        inner = value.get("email_address")
        address = value.get("address") if inner is None else inner
        if isinstance(address, list):
            address = address[0] if address else None
        if isinstance(address, dict):
            address = address.get("address")
        if isinstance(address, str):
            yield address


def _own_recipient(detail: Mapping[str, Any]) -> str | None:
    addresses = (next(_addresses(detail.get(key)), None) for key in ("bounced_recipient", "to"))
    return next((address for address in addresses if address), None)


def _only_recipient(name: str, info: Mapping[str, Any]) -> str | None:
    if name not in _OF_THE_ONLY_RECIPIENT:
        return None
    # With several recipients it is unclear which one opened.
    everybody = {address for key in ("to", "cc", "bcc") for address in _addresses(info.get(key))}
    return everybody.pop() if len(everybody) == 1 else None


def _read_event(
    words: tuple[str, str | None],
    message: dict[str, Any],
    detail: dict[str, Any],
    raw: bytes,
    envelope: Envelope,
) -> FeedbackEvent:
    # The block contains its subject; some blocks say only "email" there.
    event_name, of_block = words
    name = of_block if of_block is not None and of_block in EVENTS else event_name
    info = json_payload.child(message, "email_info")
    own = _own_recipient(detail)
    address = own or _only_recipient(name, info)
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    reason = json_payload.text(detail, "reason")
    diagnostic = json_payload.text(detail, "diagnostic_message") or reason
    failure = None
    if name in _BOUNCES:
        failure = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=name == "hardbounce",
            recipient=address,
        )
        if failure.cause is not Cause.UNDETERMINED:
            kind, cause = failure.kind, failure.cause
    if address is None:
        kind, cause = Kind.OTHER, Cause.NONE
    request_id = json_payload.text(message, "request_id", json_payload.MESSAGE_ID_LIMIT)
    time = json_payload.text(detail, "time", json_payload.WORD_LIMIT)
    identity = (request_id, time) if request_id and time else (raw,)
    reference = json_payload.text(info, "client_reference")
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(*words, own, *identity),
        former_key=(name, address, *identity),
        address=address,
        vendor_event=name,
        # An open by one of several recipients is normal; a bounce without a recipient is not.
        recognised=name in EVENTS and (address is not None or name in _OF_THE_ONLY_RECIPIENT),
        vendor_time=from_iso(time) or from_unix_seconds(time),
        failure=failure,
        message_id=json_payload.text(info, "email_reference", json_payload.MESSAGE_ID_LIMIT) or request_id,
        diagnostic=diagnostic,
        metadata={"client_reference": reference} if reference is not None else None,
    )


PROVIDER = Provider(
    name="zeptomail",
    title="Zoho ZeptoMail",
    documentation="https://www.zoho.com/zeptomail/help/webhooks.html",
    proof="HMAC-SHA256 of the JSON",
    secret_help=(
        "the authentication key of the webhook: Mail Agent > Webhooks; or, "
        'with authentication = "header", the value that you entered there for a header of your own'
    ),
    schemes={
        "": ProducerSignature(),
        "header": ConfiguredHeader(),
        "query": QueryToken(),
    },
    account_paths={
        "subaccount": "mailagent_key",
        "sending_domain": "(event_message[0] || event_message).email_info.from.address",
    },
    vocabulary=EVENTS,
    answer_probe=answer_probe,
    parse=parse,
)

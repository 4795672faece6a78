"""A make-believe Telnyx: one JSON event a request, signed with an Ed25519 key of its own."""

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.telnyx import SEPARATOR, SIGNATURE_HEADER, TIMESTAMP_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.phone_number import NOBODYS_NUMBER, made_up_number
from worker.samples.posting import iso_time, made_up_id, post, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.vendor import MakeBelieveVendor

_OUR_NUMBER = "+18445550001"
_STATUSES: dict[Kind, str] = {
    Kind.ACCEPTED: "sent",
    Kind.DEFERRED: "sent",
    Kind.DELIVERED: "delivered",
    Kind.OPENED: "delivered",
    Kind.CLICKED: "delivered",
    Kind.SOFT_BOUNCE: "delivery_failed",
    Kind.HARD_BOUNCE: "delivery_failed",
    Kind.BLOCKED: "delivery_failed",
    Kind.DROPPED: "sending_failed",
}
_ANSWERS: dict[Kind, str] = {
    Kind.UNSUBSCRIBE: "STOP",
    Kind.COMPLAINT: "STOP",
    Kind.RESUBSCRIBE: "START",
    Kind.OTHER: "HELP",
}
_ERRORS: dict[Cause, tuple[str, str]] = {
    Cause.MAILBOX_DOES_NOT_EXIST: ("40012", "Invalid messaging destination number"),
    Cause.INVALID_ADDRESS: ("40012", "Invalid messaging destination number"),
    Cause.MAILBOX_DISABLED: ("40001", "Not routable"),
    Cause.DOMAIN_DOES_NOT_EXIST: ("40001", "Not routable"),
    Cause.DOMAIN_ACCEPTS_NO_MAIL: ("40001", "Not routable"),
    Cause.SERVER_UNAVAILABLE: ("40006", "Recipient server unavailable"),
    Cause.CONNECTION_FAILED: ("40006", "Recipient server unavailable"),
    Cause.EXPIRED: ("40005", "Message expired during transmission"),
    Cause.SENDER_REPUTATION: ("40003", "Blocked as spam - permanent"),
    Cause.SENDER_AUTHENTICATION: ("40010", "Message is not 10DLC registered"),
    Cause.SENDER_CONFIGURATION: ("40013", "Invalid messaging source number"),
    Cause.CONTENT: ("40002", "Blocked as spam - temporary"),
    Cause.MESSAGE_TOO_LARGE: ("40302", "Message too large"),
    Cause.RATE_LIMITED: ("40011", "Too many requests"),
}
_UNDELIVERABLE = ("40008", "Undeliverable")


class TelnyxSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "telnyx"
    sample_address: ClassVar[str] = NOBODYS_NUMBER

    def make_secret(self, made_up: str) -> str:
        """The public key of the pair, as Telnyx shows it."""
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(made_up))
        return b64encode(self._key.public_key().public_bytes_raw()).decode()

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.signed(sample_document(event), now=now) for event in events]

    def signed(self, document: Any, *, now: datetime) -> WebhookRequest:
        """The POST of this document."""
        body = json.dumps(document).encode()
        timestamp = unix_time(now)
        signature = b64encode(self._key.sign((timestamp + SEPARATOR).encode() + body)).decode()
        return post(self.provider, body, {SIGNATURE_HEADER: signature, TIMESTAMP_HEADER: timestamp})


def sample_document(event: SampleEvent) -> dict[str, Any]:
    """The event as Telnyx's JSON."""
    number, occurred_at = made_up_number(event.address), iso_time(event.occurred_at)
    payload: dict[str, Any] = {"record_type": "message", "id": event.message_id, "type": "SMS", "errors": []}
    if event.kind in _ANSWERS:
        name, answer = "message.received", _ANSWERS[event.kind]
        payload |= {
            "direction": "inbound",
            "from": {"phone_number": number, "carrier": "", "line_type": "Wireless"},
            "to": [{"phone_number": _OUR_NUMBER, "status": "webhook_delivered"}],
            "text": answer,
            "autoresponse_type": answer,
            "received_at": occurred_at,
        }
    else:
        status = _STATUSES[event.kind]
        name = "message.sent" if status == "sent" else "message.finalized"
        payload |= {
            "direction": "outbound",
            "from": {"phone_number": _OUR_NUMBER, "carrier": "TELNYX LLC", "line_type": "VoIP"},
            "to": [{"phone_number": number, "status": status, "carrier": "", "line_type": "Wireless"}],
            "text": "Hello",
            "tags": list(event.tags),
            "completed_at": occurred_at,
        }
        if event.kind in {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}:
            code, title = _ERRORS.get(event.cause, _UNDELIVERABLE)
            payload["errors"] = [{"code": code, "title": title, "detail": event.diagnostic or "", "meta": {}}]
    payload |= {"messaging_profile_id": str(UUID(int=1)), "organization_id": str(UUID(int=2))}
    data = {"record_type": "event", "id": made_up_id(event), "event_type": name, "occurred_at": occurred_at}
    return {
        "data": {**data, "payload": payload},
        "meta": {"attempt": 1, "delivered_to": "https://bouncekeeper.example.org/webhooks/telnyx"},
    }


SENDERS = (TelnyxSamples,)

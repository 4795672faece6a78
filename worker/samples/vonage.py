"""A make-believe Vonage: one JSON status a request, with a token that carries the body's hash."""

import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any, ClassVar
from uuid import UUID

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.vonage import PAYLOAD_HASH, signed_token
from worker.providers.webhook_request import WebhookRequest
from worker.samples.phone_number import NOBODYS_NUMBER, made_up_number
from worker.samples.posting import iso_time, post
from worker.samples.sample import SampleEvent
from worker.samples.vendor import MakeBelieveVendor

_OUR_NUMBER = "447700900001"
_STATUSES: dict[Kind, str] = {
    Kind.ACCEPTED: "submitted",
    Kind.DEFERRED: "submitted",
    Kind.DELIVERED: "delivered",
    Kind.OPENED: "read",
    Kind.CLICKED: "read",
    Kind.SOFT_BOUNCE: "rejected",
    Kind.HARD_BOUNCE: "rejected",
    Kind.BLOCKED: "rejected",
    Kind.UNSUBSCRIBE: "rejected",
    Kind.COMPLAINT: "rejected",
    Kind.DROPPED: "undeliverable",
}
_CODES: dict[Cause, str] = {
    Cause.MAILBOX_DOES_NOT_EXIST: "1190",
    Cause.MAILBOX_DISABLED: "1190",
    Cause.MAILBOX_OWNER_CHANGED: "1190",
    Cause.INVALID_ADDRESS: "1170",
    Cause.RECIPIENT_RESTRICTED: "1280",
    Cause.CONNECTION_FAILED: "1180",
    Cause.SERVER_UNAVAILABLE: "1230",
    Cause.EXPIRED: "1360",
    Cause.SENDER_AUTHENTICATION: "1120",
    Cause.SENDER_CONFIGURATION: "1060",
    Cause.CONTENT: "1210",
    Cause.MESSAGE_TOO_LARGE: "1090",
    Cause.RATE_LIMITED: "1000",
}
_STOP, _UNKNOWN = "1240", "1330"


class VonageSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "vonage"
    sample_address: ClassVar[str] = NOBODYS_NUMBER

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.signed(sample_values(event), now=now) for event in events]

    def signed(self, values: Any, *, now: datetime) -> WebhookRequest:
        """The POST of these values."""
        body = json.dumps(values, separators=(",", ":")).encode()
        claims = {
            "iat": int(now.timestamp()),
            "jti": str(UUID(bytes=blake2b(body, digest_size=16).digest())),
            "iss": "Vonage",
            PAYLOAD_HASH: sha256(body).hexdigest(),
            "api_key": "abcd1234",
            "application_id": str(UUID(int=1)),
        }
        token = signed_token(json.dumps(claims).encode(), self.secret)
        return post(self.provider, body, {"authorization": f"Bearer {token}"})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Vonage writes it."""
    number = made_up_number(event.address).removeprefix("+")
    message_id = str(UUID(bytes=blake2b(f"{event.message_id} {number}".encode(), digest_size=16).digest()))
    values: dict[str, Any] = {"message_uuid": message_id, "timestamp": iso_time(event.occurred_at), "channel": "sms"}
    if event.kind not in _STATUSES:  # RESUBSCRIBE and OTHER: somebody writes
        return {**values, "to": _OUR_NUMBER, "from": number, "message_type": "text", "text": "Hello"}
    status = _STATUSES[event.kind]
    values |= {"to": number, "from": _OUR_NUMBER, "status": status, "client_ref": event.message_id}
    values |= {"usage": {"currency": "EUR", "price": "0.0333"}, "sms": {"count_total": "1"}}
    if status == "rejected":
        stopped = event.kind in {Kind.UNSUBSCRIBE, Kind.COMPLAINT}
        code = _STOP if stopped else _CODES.get(event.cause, _UNKNOWN)
        values["error"] = {
            "type": f"https://developer.vonage.com/api-errors/messages#{code}",
            "title": code,
            "detail": event.diagnostic or "What Vonage says of this code.",
            "instance": message_id.replace("-", ""),
        }
    return values


SENDERS = (VonageSamples,)

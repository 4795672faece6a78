"""A make-believe Mailgun: one signed JSON event a request."""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any, ClassVar

import msgspec

from schemas.vocabulary import Cause, Kind
from worker.providers.provider import WebhookRequest
from worker.samples.sample import SAMPLE_REMOTE_ADDRESS, SampleEvent
from worker.samples.server_reply import ServerReply, reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "accepted",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "failed",
    Kind.SOFT_BOUNCE: "failed",
    Kind.HARD_BOUNCE: "failed",
    Kind.BLOCKED: "failed",
    Kind.DROPPED: "failed",
    Kind.OPENED: "opened",
    Kind.CLICKED: "clicked",
    Kind.COMPLAINT: "complained",
    Kind.UNSUBSCRIBE: "unsubscribed",
    Kind.RESUBSCRIBE: "stored",  # Mailgun has no word for it
    Kind.OTHER: "stored",
}
_REASONS: dict[Cause, str] = {
    Cause.EXPIRED: "old",
    Cause.SENDER_REPUTATION: "espblock",
    Cause.GREYLISTED: "greylisted",
    Cause.SUPPRESSED_BY_PROVIDER: "suppress-bounce",
    Cause.UNSUBSCRIBED_AT_PROVIDER: "suppress-unsubscribe",
    Cause.COMPLAINED_AT_PROVIDER: "suppress-complaint",
}
_OWN_CODES: dict[str, int] = {
    "old": 602,
    "suppress-bounce": 605,
    "suppress-unsubscribe": 606,
    "suppress-complaint": 607,
}
_NO_REASON = ServerReply(smtp_code=550, enhanced_status="5.0.0", text="message not delivered")


class MailgunSamples(MakeBelieveVendor):
    """Signs a time and a token with the HTTP webhook signing key; one request for each event."""

    provider: ClassVar[str] = "mailgun"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event, posted and signed at `now`."""
        return [self.signed(sample_event_data(event), now=now) for event in events]

    def signed(
        self, event_data: object, *, now: datetime, token: str | None = None, path: str = "/webhooks/mailgun"
    ) -> WebhookRequest:
        """Any event-data beside a valid signature; a token can be given to use it twice."""
        timestamp = str(int(now.timestamp()))
        token = token or secrets.token_hex(25)
        signature = hmac.new(self.secret.encode(), f"{timestamp}{token}".encode(), sha256).hexdigest()
        body = {
            "signature": {"timestamp": timestamp, "token": token, "signature": signature},
            "event-data": event_data,
        }
        return WebhookRequest(
            method="POST",
            path=path,
            query={},
            headers={"content-type": "application/json", "user-agent": "mailgun/treq-22.10.0"},
            body=msgspec.json.encode(body),
            remote_address=SAMPLE_REMOTE_ADDRESS,
        )


def sample_event_data(event: SampleEvent) -> dict[str, Any]:
    """The event as Mailgun's `event-data`."""
    seconds = event.occurred_at.timestamp()
    made_up_id = blake2b(
        f"{event.kind} {event.address} {event.message_id} {seconds}".encode(), digest_size=16
    ).hexdigest()
    name = _NAMES[event.kind]
    data: dict[str, Any] = {
        "id": event.vendor_event_id or made_up_id,
        "event": name,
        "timestamp": seconds,
        "log-level": "error" if name == "failed" else "info",
        "recipient": event.address,
        "recipient-domain": event.address.rpartition("@")[2],
        "envelope": {"sender": "bounce@mg.example.org", "transport": "smtp", "targets": event.address},
        "message": {
            "headers": {
                "to": event.address,
                "from": "News <news@example.org>",
                "subject": "Hello",
                "message-id": f"{event.message_id}@mg.example.org",
            },
            "attachments": [],
            "size": 2048,
        },
        "flags": {
            "is-routed": None,
            "is-authenticated": True,
            "is-system-test": False,
            "is-test-mode": event.cause is Cause.TEST,
        },
        "tags": list(event.tags),
        "campaigns": [],
        "user-variables": event.metadata or {},
    }
    if name == "failed":
        data |= _failure(event)
    elif event.kind is Kind.DELIVERED:
        data["delivery-status"] = {"code": 250, "message": "OK", "attempt-no": 1, "description": ""}
    elif event.kind in {Kind.OPENED, Kind.CLICKED}:
        data |= {"ip": "198.51.100.7", "client-info": {"client-type": "browser", "bot": ""}}
        if event.kind is Kind.CLICKED:
            data["url"] = "https://example.org/offer"
        elif event.machine:
            data["client-info"]["bot"] = "apple"
    return data


def _failure(event: SampleEvent) -> dict[str, Any]:
    reply = reply_for(event) or _NO_REASON
    usual = {Kind.DEFERRED: "generic", Kind.DROPPED: "suppress-bounce"}.get(event.kind, "bounce")
    reason = usual if event.kind is Kind.DEFERRED else _REASONS.get(event.cause, usual)
    status: dict[str, Any] = {
        "attempt-no": 1,
        "code": _OWN_CODES.get(reason, reply.smtp_code),
        "message": f"{reply.enhanced_status} {reply.text}",
        "description": "",
        "session-seconds": 0.42,
        "mx-host": f"mx.{event.address.rpartition('@')[2]}",
        "tls": True,
    }
    if reason not in _OWN_CODES:
        status["enhanced-code"] = reply.enhanced_status
    return {
        "severity": "temporary" if event.kind is Kind.DEFERRED else "permanent",
        "reason": reason,
        "delivery-status": status,
    }

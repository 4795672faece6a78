"""A make-believe SendGrid: signed batches in the form that the real one posts."""

import base64
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.sendgrid.sendgrid import SIGNATURE_HEADER, TEST_ADDRESS, TEST_SMTP_ID, TIMESTAMP_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.sample import SAMPLE_REMOTE_ADDRESS, SampleEvent
from worker.samples.server_reply import ServerReply, reply_for

EVENTS_PER_BATCH = 100

_PLAIN_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "processed",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferred",
    Kind.DROPPED: "dropped",
    Kind.OPENED: "open",
    Kind.CLICKED: "click",
    Kind.COMPLAINT: "spamreport",
    Kind.UNSUBSCRIBE: "unsubscribe",
    Kind.RESUBSCRIBE: "group_resubscribe",
    Kind.OTHER: "account_status_change",
}
_DROP_REASONS: dict[Cause, str] = {
    Cause.SUPPRESSED_BY_PROVIDER: "Bounced Address",
    Cause.UNSUBSCRIBED_AT_PROVIDER: "Unsubscribed Address",
    Cause.COMPLAINED_AT_PROVIDER: "Spam Reporting Address",
    Cause.INVALID_ADDRESS: "Invalid",
    Cause.CONTENT: "Spam Content (if Spam Checker app enabled)",
    Cause.SENDER_CONFIGURATION: "Invalid SMTPAPI header",
}
_CLASSES: dict[Cause, str] = {
    Cause.MAILBOX_DOES_NOT_EXIST: "Invalid Address",
    Cause.INVALID_ADDRESS: "Invalid Address",
    Cause.DOMAIN_DOES_NOT_EXIST: "Invalid Address",
    Cause.MAILBOX_DISABLED: "Mailbox Unavailable",
    Cause.MAILBOX_FULL: "Mailbox Unavailable",
    Cause.SERVER_UNAVAILABLE: "Technical Failure",
    Cause.CONNECTION_FAILED: "Technical Failure",
    Cause.DNS_FAILURE: "Technical Failure",
    Cause.EXPIRED: "Technical Failure",
    Cause.SENDER_REPUTATION: "Reputation",
    Cause.CONTENT: "Content",
    Cause.RATE_LIMITED: "Frequency or Volume Too High",
}
_NO_REASON = ServerReply(smtp_code=550, enhanced_status="5.0.0", text="message not delivered")
_KEY_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the group of P-256


class SendGridSamples:
    """Posts batches, signed by a key pair of its own: the same seed makes the same one, without one it is random."""

    provider: ClassVar[str] = "sendgrid"

    def __init__(self, *, seed: bytes | None = None, events_per_batch: int = EVENTS_PER_BATCH) -> None:
        if seed is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
        else:
            number = int.from_bytes(blake2b(seed, person=b"sendgrid", digest_size=40).digest())
            self._key = ec.derive_private_key(number % (_KEY_ORDER - 1) + 1, ec.SECP256R1())
        self._events_per_batch = events_per_batch

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """The verification key as SendGrid's console shows it."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return (Secret(base64.b64encode(der).decode()),)

    def source(self, name: str) -> Source:
        """A source that accepts this sender's requests."""
        return Source(name=name, provider=self.provider, secrets=self.secrets_for_source())

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """The events in batches, each posted and signed at `now`."""
        return [
            self.signed(_body(events[start : start + self._events_per_batch]), now=now)
            for start in range(0, len(events), self._events_per_batch)
        ]

    def signed(self, body: bytes, *, now: datetime, path: str = "/webhooks/sendgrid") -> WebhookRequest:
        """Any body, signed."""
        timestamp = str(int(now.timestamp()))
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return WebhookRequest(
            method="POST",
            path=path,
            query={},
            headers={
                "content-type": "application/json; charset=utf-8",
                "user-agent": "SendGrid Event API",
                SIGNATURE_HEADER: base64.b64encode(signature).decode(),
                TIMESTAMP_HEADER: timestamp,
            },
            body=body,
            remote_address=SAMPLE_REMOTE_ADDRESS,
        )


def _body(events: Sequence[SampleEvent]) -> bytes:
    # SendGrid puts each element on a line of its own and ends the body with CRLF; both are signed.
    return b"[" + b",\r\n".join(msgspec.json.encode(sample_element(event)) for event in events) + b"]\r\n"


def sample_element(event: SampleEvent) -> dict[str, Any]:
    """The event as one element of SendGrid's array."""
    vendor_id = event.vendor_event_id or f"{event.kind}-0-{event.message_id}-{event.occurred_at.timestamp():.0f}"
    element: dict[str, Any] = {
        "email": event.address,
        "timestamp": int(event.occurred_at.timestamp()),
        "smtp-id": f"<{event.message_id}@example.org>",
        "sg_event_id": base64.urlsafe_b64encode(vendor_id.encode()).decode().rstrip("="),
        "sg_message_id": f"{event.message_id}.recvd-5c9d8b7f6-abcde-1-00000000-1.0",
    }
    if event.tags:
        element["category"] = list(event.tags)
    if event.cause is Cause.TEST:
        element |= {"email": TEST_ADDRESS, "smtp-id": TEST_SMTP_ID, "event": "processed"}
    elif event.kind in {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}:
        element |= _bounce(event)
    else:
        element |= {"event": _PLAIN_NAMES[event.kind], **_details(event)}
    if event.kind is Kind.OTHER and event.cause is not Cause.TEST:
        del element["email"]
    return element | (event.metadata or {})


def _bounce(event: SampleEvent) -> dict[str, Any]:
    reply = reply_for(event) or _NO_REASON
    fields: dict[str, Any] = {
        "event": "bounce",
        "type": "bounce" if event.kind is Kind.HARD_BOUNCE else "blocked",
        "status": reply.enhanced_status,
        "reason": reply.line,
        "ip": "192.0.2.20",
        "tls": 1,
    }
    if event.cause in _CLASSES:
        fields["bounce_classification"] = _CLASSES[event.cause]
    return fields


def _details(event: SampleEvent) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if event.kind is Kind.DELIVERED:
        fields = {"response": event.diagnostic or "250 2.0.0 OK", "ip": "192.0.2.20", "tls": 1}
    elif event.kind is Kind.DEFERRED:
        reply = reply_for(event) or _NO_REASON
        fields = {"response": reply.line, "attempt": "1", "ip": "192.0.2.20", "tls": 1}
    elif event.kind is Kind.DROPPED:
        fields = {"reason": event.diagnostic or _DROP_REASONS.get(event.cause, "Bounced Address")}
    elif event.kind in {Kind.OPENED, Kind.CLICKED}:
        fields = {"ip": "198.51.100.7", "useragent": "Mozilla/5.0 (X11; Linux x86_64)"}
        if event.kind is Kind.CLICKED:
            fields |= {"url": "https://example.org/offer", "url_offset": {"index": 0, "type": "html"}}
        elif event.machine:
            fields["sg_machine_open"] = True
    elif event.kind is Kind.OTHER:
        fields = {"type": "compliance_suspend"}
    elif event.scope is not None:
        group = event.scope.removeprefix("asm_group:")
        fields = {
            "asm_group_id": int(group) if group.isdecimal() else group,
            "event": "group_unsubscribe" if event.kind is Kind.UNSUBSCRIBE else "group_resubscribe",
        }
    return fields


SENDERS = (SendGridSamples,)

"""A make-believe Postmark: it signs nothing, and shows user and password."""

import base64
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.postmark.postmark import BOUNCE_TYPES
from worker.providers.webhook_request import WebhookRequest
from worker.samples.sample import SAMPLE_REMOTE_ADDRESS, SampleEvent
from worker.samples.server_reply import reply_for

_STREAM = "broadcast"

# The type that says a kind and cause best; the kind alone decides where the cause is not listed.
_TYPES: dict[tuple[Kind, Cause], str] = {
    (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE): "DnsError",
    (Kind.BLOCKED, Cause.CONTENT): "SpamNotification",
    (Kind.BLOCKED, Cause.VIRUS): "VirusNotification",
    (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION): "DMARCPolicy",
    (Kind.DROPPED, Cause.INVALID_ADDRESS): "BadEmailAddress",
    (Kind.DROPPED, Cause.SENDER_CONFIGURATION): "SMTPApiError",
    (Kind.OTHER, Cause.AUTO_REPLY): "AutoResponder",
    (Kind.OTHER, Cause.ADDRESS_CHANGED): "AddressChange",
    (Kind.OTHER, Cause.CHALLENGE_RESPONSE): "ChallengeVerification",
    (Kind.OTHER, Cause.SENDER_CONFIGURATION): "TemplateRenderingFailed",
}
_TYPE_BY_KIND: dict[Kind, str] = {
    Kind.DEFERRED: "Transient",
    Kind.SOFT_BOUNCE: "SoftBounce",
    Kind.HARD_BOUNCE: "HardBounce",
    Kind.BLOCKED: "Blocked",
    Kind.DROPPED: "ManuallyDeactivated",
    Kind.OTHER: "OpenRelayTest",
}


class PostmarkSamples:
    """Makes up its own user and password."""

    provider: ClassVar[str] = "postmark"

    def __init__(self, *, secret: Secret | None = None) -> None:
        self._secret = secret or Secret(f"postmark:{secrets.token_urlsafe(24)}")

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """User and password, as the operator would put them into the webhook's URL."""
        return (self._secret,)

    def source(self, name: str) -> Source:
        """A source that accepts this sender's user and password."""
        return Source(name=name, provider=self.provider, secrets=self.secrets_for_source())

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event: Postmark knows no batches."""
        del now  # nothing in a request of Postmark's says when it was sent
        return [self.request(self.record(event)) for event in events]

    def request(self, record: dict[str, Any]) -> WebhookRequest:
        """The POST of one record."""
        credentials = base64.b64encode(self._secret.reveal().encode()).decode()
        return WebhookRequest(
            method="POST",
            path="/webhooks/postmark",
            query={},
            headers={
                "content-type": "application/json",
                "user-agent": "Postmark",
                "authorization": f"Basic {credentials}",
            },
            body=json.dumps(record).encode(),
            remote_address=SAMPLE_REMOTE_ADDRESS,
        )

    def record(self, event: SampleEvent) -> dict[str, Any]:
        """What Postmark writes about one event."""
        return {
            **_specific(event),
            "MessageID": event.message_id,
            "ServerID": 1234,
            "MessageStream": event.scope or _STREAM,
            "Tag": event.tags[0] if event.tags else None,  # Postmark has one tag a message
            "Metadata": {key: str(value) for key, value in (event.metadata or {}).items()},
        }


def _specific(event: SampleEvent) -> dict[str, Any]:  # noqa: PLR0911 - a shape for each kind
    stamp = _stamp(event.occurred_at)
    match event.kind:
        case Kind.DELIVERED | Kind.ACCEPTED:  # Postmark has no word for having taken a message
            details = event.diagnostic or "250 2.0.0 OK"
            return {"RecordType": "Delivery", "Recipient": event.address, "DeliveredAt": stamp, "Details": details}
        case Kind.OPENED:
            return {"RecordType": "Open", "FirstOpen": True, "Recipient": event.address, "ReceivedAt": stamp}
        case Kind.CLICKED:
            link = {"OriginalLink": "https://example.org/", "ClickLocation": "HTML"}
            return {"RecordType": "Click", "Recipient": event.address, "ReceivedAt": stamp, **link}
        case Kind.UNSUBSCRIBE | Kind.RESUBSCRIBE:
            leaves = event.kind is Kind.UNSUBSCRIBE
            return {
                "RecordType": "SubscriptionChange",
                "Recipient": event.address,
                "ChangedAt": stamp,
                "Origin": "Recipient",
                "SuppressSending": leaves,
                "SuppressionReason": "ManualSuppression" if leaves else None,
            }
        case Kind.COMPLAINT:
            return {"RecordType": "SpamComplaint", "CanActivate": False, **_bounce(event, "SpamComplaint", "")}
    bounce_type = _TYPES.get((event.kind, event.cause)) or _TYPE_BY_KIND[event.kind]
    reply = reply_for(event)
    details = f"smtp;{reply.line}" if reply is not None else ""
    if event.cause is Cause.TEST:
        return {"RecordType": "Bounce", **_bounce(event, "HardBounce", "Test bounce details"), "ID": 42}
    return {"RecordType": "Bounce", "CanActivate": True, **_bounce(event, bounce_type, details)}


def _bounce(event: SampleEvent, bounce_type: str, details: str) -> dict[str, Any]:
    made_up = uuid5(NAMESPACE_URL, f"{event.message_id} {event.address} {event.kind} {event.occurred_at}")
    event_id = event.vendor_event_id
    return {
        "ID": int(event_id) if event_id is not None and event_id.isdecimal() else made_up.int >> 75,  # 53 bits
        "Type": bounce_type,
        "TypeCode": BOUNCE_TYPES[bounce_type].code,
        "Name": bounce_type,
        "Description": "What Postmark says of every bounce of this type.",
        "Details": details,
        "Email": event.address,
        "From": "news@example.org",
        "BouncedAt": _stamp(event.occurred_at),
        "DumpAvailable": True,
        "Inactive": event.kind in (Kind.HARD_BOUNCE, Kind.COMPLAINT),
        "Subject": "Hello",
    }


def _stamp(moment: datetime) -> str:
    """Seven fraction digits, as Postmark writes them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


SENDERS = (PostmarkSamples,)

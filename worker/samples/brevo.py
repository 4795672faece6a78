"""A make-believe Brevo with batched webhooks: it signs nothing, and shows user and password."""

import json
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.brevo import SAMPLE_ADDRESS
from worker.samples.posting import basic
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

EVENTS_PER_BATCH = 100

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "request",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferred",
    Kind.SOFT_BOUNCE: "soft_bounce",
    Kind.HARD_BOUNCE: "hard_bounce",
    Kind.BLOCKED: "soft_bounce",  # whose fault it is, the reason says
    Kind.DROPPED: "blocked",
    Kind.OPENED: "opened",
    Kind.CLICKED: "click",
    Kind.COMPLAINT: "complaint",
    Kind.UNSUBSCRIBE: "unsubscribed",
    Kind.RESUBSCRIBE: "list_addition",  # Brevo has no word for it
    Kind.OTHER: "list_addition",
}
_BLOCK_REASONS: dict[Cause, str] = {
    Cause.UNSUBSCRIBED_AT_PROVIDER: "blocked : due to unsubscribed user",
    Cause.COMPLAINED_AT_PROVIDER: "blocked : due to complaint",
}


class BrevoSamples(UntimedVendor):
    """Batches of a hundred events."""

    provider: ClassVar[str] = "brevo"
    shown = staticmethod(basic)
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH

    def make_secret(self, made_up: str) -> str:
        """User and password, as they stand in the URL at Brevo."""
        return f"brevo:{made_up[:40]}"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_object(event)


def sample_object(event: SampleEvent) -> dict[str, Any]:
    """The event as Brevo writes it for a transactional message."""
    seconds = int(event.occurred_at.timestamp())
    name = (
        "invalid_email" if event.cause is Cause.INVALID_ADDRESS and event.kind is Kind.DROPPED else _NAMES[event.kind]
    )
    if event.kind is Kind.OPENED and event.machine:
        name = "proxy_open"
    values: dict[str, Any] = {
        "event": name,
        "email": SAMPLE_ADDRESS if event.cause is Cause.TEST else event.address,
        "id": 12345,
        "date": f"{event.occurred_at:%Y-%m-%d %H:%M:%S}",
        "ts": seconds,
        "ts_event": seconds,
        "ts_epoch": seconds * 1000,
        "message-id": f"<{event.message_id}@smtp-relay.mailin.fr>",
        "subject": "Hello",
        "sender_email": "news@example.org",
        "sending_ip": "192.0.2.50",
        "template_id": 7,
        "tags": list(event.tags),
        "tag": json.dumps(event.tags),
    }
    if event.metadata:
        values["X-Mailin-custom"] = json.dumps(event.metadata)
    if event.kind is Kind.DROPPED:
        values["reason"] = event.diagnostic or _BLOCK_REASONS.get(event.cause, "blocked : due to blacklist user")
    elif reply := reply_for(event):
        values["reason"] = reply.line
    elif event.kind in {Kind.ACCEPTED, Kind.DELIVERED}:
        values["reason"] = "sent"
    elif event.kind is Kind.CLICKED:
        values["link"] = "https://example.org/offer"
    return values


SENDERS = (BrevoSamples,)

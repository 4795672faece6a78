"""A make-believe Maileroo, with a shared secret of its own."""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.maileroo import SIGNATURE_HEADER
from worker.providers.provider import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "accepted",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferred",
    Kind.SOFT_BOUNCE: "failed",
    Kind.HARD_BOUNCE: "failed",
    Kind.BLOCKED: "failed",
    Kind.DROPPED: "rejected",
    Kind.OPENED: "opened",
    Kind.CLICKED: "clicked",
    Kind.COMPLAINT: "complained",
    Kind.UNSUBSCRIBE: "accepted",  # Maileroo has no word for these
    Kind.RESUBSCRIBE: "accepted",
    Kind.OTHER: "accepted",
}


class MailerooSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "maileroo"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        del now  # nothing in a request says when it was sent
        return [self.signed(sample_values(event)) for event in events]

    def signed(self, values: Any) -> WebhookRequest:
        """The POST of these values."""
        body = json.dumps(values).encode()
        signature = hmac.new(self.secret.encode(), body, sha256).hexdigest()
        return post(self.provider, body, {SIGNATURE_HEADER: signature})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Maileroo writes it."""
    name = _NAMES[event.kind]
    reply = reply_for(event)
    data: dict[str, Any] = {"from": "news@example.com", "to": event.address}
    if name in {"opened", "clicked"}:
        data = {"ip": "192.0.2.20", "user_agent": "Mozilla/5.0"}
    elif name == "rejected":
        data = {**data, "to": [event.address], "reject_reason": "recipient is on the suppression list"}
    elif reply is not None:
        data["reason"] = reply.line
    if name == "clicked":
        data["original_url"] = "https://example.com/"
    return {
        "event_id": made_up_id(event),
        "event_type": name,
        "event_time": int(event.occurred_at.timestamp()),
        "inserted_at": iso_time(event.occurred_at),
        "message_id": f"<{event.message_id}@example.com>",
        "message_reference_id": f"reference-{event.message_id}",
        "domain_id": 774,
        "user_id": 323,
        "tags": event.metadata,
        "event_data": data,
    }

"""A make-believe Mailtrap, with a signing secret of its own."""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.mailtrap import CATEGORIES, EVENTS, SIGNATURE_HEADER
from worker.providers.provider import WebhookRequest
from worker.samples.posting import made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

EVENTS_PER_BATCH = 500

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in reversed(EVENTS.items())} | {
    Kind.ACCEPTED: "delivery",  # Mailtrap has no word for having taken a message
    Kind.HARD_BOUNCE: "bounce",
    Kind.BLOCKED: "bounce",
    Kind.DEFERRED: "soft bounce",
    Kind.COMPLAINT: "spam",
    Kind.RESUBSCRIBE: "suspension",  # nor for coming back
}
_CATEGORIES: dict[Cause, str] = {cause: category for category, (_, cause) in reversed(CATEGORIES.items())}


class MailtrapSamples(MakeBelieveVendor):
    """Up to 500 events a request."""

    provider: ClassVar[str] = "mailtrap"

    def make_secret(self, made_up: str) -> str:
        """32 hex digits."""
        return made_up[:32]

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each 500 events."""
        del now  # nothing in a request says when it was sent
        return [
            self.signed({"events": [sample_values(event) for event in events[start : start + EVENTS_PER_BATCH]]})
            for start in range(0, len(events), EVENTS_PER_BATCH)
        ]

    def signed(self, values: dict[str, Any]) -> WebhookRequest:
        """The POST of these values."""
        return self.signed_body(json.dumps(values).encode())

    def signed_body(self, body: bytes) -> WebhookRequest:
        """The POST of this body."""
        signature = hmac.new(self.secret.encode(), body, sha256).hexdigest()
        return post(self.provider, body, {SIGNATURE_HEADER: signature})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Mailtrap writes it."""
    values: dict[str, Any] = {
        "event": _NAMES[event.kind],
        "timestamp": int(event.occurred_at.timestamp()),
        "sending_stream": "bulk",
        "message_id": event.message_id,
        "email": event.address,
        "event_id": made_up_id(event),
        "sending_domain_name": "example.com",
    }
    if event.tags:
        values["category"] = event.tags[0]  # Mailtrap has one a message
    if event.metadata:
        values["custom_variables"] = event.metadata
    if event.kind is Kind.DROPPED:
        values["reason"] = "The recipient is on the suppression list."
    elif reply := reply_for(event):
        values["response"] = f"{reply.enhanced_status} {reply.text}"
        values["response_code"] = reply.smtp_code
        values["bounce_category"] = _CATEGORIES.get(event.cause, "other")
    return values

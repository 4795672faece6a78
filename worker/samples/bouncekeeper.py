"""A make-believe script that posts our own JSON, signed."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from worker.providers.vendors.bouncekeeper.bouncekeeper import SIGNATURE_HEADER, TIMESTAMP_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import hex_hmac, iso_time, made_up_id, post, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

EVENTS_PER_BATCH = 100


class BouncekeeperSamples(MakeBelieveVendor):
    """Up to a hundred events in an array; one alone is an object."""

    provider: ClassVar[str] = "bouncekeeper"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """The events in batches, each signed at `now`."""
        batches = [events[start : start + EVENTS_PER_BATCH] for start in range(0, len(events), EVENTS_PER_BATCH)]
        return [self.signed(_document(batch), now=now) for batch in batches]

    def signed(self, document: Any, *, now: datetime) -> WebhookRequest:
        """The POST of this JSON value."""
        return self.signed_text(json.dumps(document).encode(), now=now)

    def signed_text(self, body: bytes, *, now: datetime) -> WebhookRequest:
        """The POST of these bytes, JSON or not."""
        timestamp = unix_time(now)
        signature = hex_hmac(self.secret, f"{timestamp}.".encode() + body)
        return post(self.provider, body, {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: f"sha256={signature}"})


def _document(events: Sequence[SampleEvent]) -> Any:
    values = [sample_values(event) for event in events]
    return values[0] if len(values) == 1 else values


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event in our own words."""
    reply = reply_for(event)
    values = {
        "event": event.kind.value,
        "address": event.address,
        "occurred_at": iso_time(event.occurred_at),
        "id": made_up_id(event),
        "message_id": event.message_id,
        "cause": event.cause.value,
        "smtp_code": reply.smtp_code if reply else None,
        "enhanced_status": reply.enhanced_status if reply else None,
        "diagnostic": reply.text if reply else None,
        "scope": event.scope,
        "machine": event.machine or None,
        "tags": list(event.tags) or None,
        "metadata": event.metadata,
    }
    return {name: value for name, value in values.items() if value is not None}


SENDERS = (BouncekeeperSamples,)

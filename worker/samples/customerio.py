"""A make-believe Customer.io, with a signing key of its own."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.vendors.customerio import SIGNATURE_HEADER, TIMESTAMP_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import hex_hmac, made_up_id, post, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_METRICS: dict[Kind, str] = {
    Kind.ACCEPTED: "sent",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferred",
    Kind.SOFT_BOUNCE: "bounced",
    Kind.HARD_BOUNCE: "bounced",
    Kind.BLOCKED: "bounced",
    Kind.DROPPED: "dropped",
    Kind.OPENED: "opened",
    Kind.CLICKED: "clicked",
    Kind.UNSUBSCRIBE: "unsubscribed",
    Kind.COMPLAINT: "spammed",
    Kind.RESUBSCRIBE: "converted",  # Customer.io has no word for it
    Kind.OTHER: "converted",
}


class CustomerIoSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "customerio"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event, signed at `now`."""
        return [self.signed(sample_values(event), now=now) for event in events]

    def signed(self, values: dict[str, Any], *, now: datetime) -> WebhookRequest:
        """The POST of these values."""
        body = json.dumps(values).encode()
        timestamp = unix_time(now)
        signature = hex_hmac(self.secret, f"v0:{timestamp}:".encode() + body)
        return post(self.provider, body, {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Customer.io writes it."""
    data: dict[str, Any] = {
        "customer_id": "42",
        "identifiers": {"id": "42", "email": event.address, "cio_id": "c42"},
        "delivery_id": event.message_id,
        "recipient": event.address,
        "subject": "Hello",
        "campaign_id": 7,
        "action_id": 9,
    }
    if reply := reply_for(event):
        data["failure_message"] = reply.line
    if event.kind is Kind.CLICKED:
        data |= {"href": "https://example.com/", "link_id": 1}
    return {
        "event_id": made_up_id(event),
        "object_type": "email",
        "metric": _METRICS[event.kind],
        "timestamp": int(event.occurred_at.timestamp()),
        "data": data,
    }


SENDERS = (CustomerIoSamples,)

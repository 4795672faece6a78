"""A make-believe Stalwart that posts what its throttle has gathered, signed."""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.vendors.stalwart import SIGNATURE_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

EVENTS_PER_BATCH = 100

_TYPES: dict[Kind, str] = {
    Kind.ACCEPTED: "queue.authenticated-message-queued",
    Kind.DELIVERED: "delivery.delivered",
    Kind.DEFERRED: "delivery.dsn-temp-fail",
    Kind.SOFT_BOUNCE: "delivery.dsn-perm-fail",
    Kind.HARD_BOUNCE: "delivery.dsn-perm-fail",
    Kind.BLOCKED: "delivery.dsn-perm-fail",
}


class StalwartSamples(MakeBelieveVendor):
    """Up to a hundred events a request."""

    provider: ClassVar[str] = "stalwart"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """The events in batches; their ids are made at `now`, as Stalwart does."""
        return [
            self.signed([sample_event(event, now=now) for event in events[start : start + EVENTS_PER_BATCH]])
            for start in range(0, len(events), EVENTS_PER_BATCH)
        ]

    def signed(self, events: Sequence[Any]) -> WebhookRequest:
        """The POST of these events."""
        body = json.dumps({"events": list(events)}, separators=(",", ":")).encode()
        signature = base64.b64encode(hmac.digest(self.secret.encode(), body, sha256)).decode()
        return post(self.provider, body, {SIGNATURE_HEADER: signature})


def sample_event(event: SampleEvent, *, now: datetime) -> dict[str, Any]:
    """The event as Stalwart's telemetry has it."""
    reply = reply_for(event)
    queue_id = int(made_up_id(event), 16) % 2**60 if event.vendor_event_id is None else 1
    details = "250 2.0.0 OK"
    if reply is not None:
        details = (
            f"Unexpected response for RCPT TO:<{event.address}>: Code: {reply.smtp_code}, "
            f"Enhanced code: {reply.enhanced_status}, Message: {reply.text}"
        )
    return {
        "id": f"{int(now.timestamp())}{queue_id % 1000}87",
        "createdAt": iso_time(event.occurred_at),
        "type": _TYPES.get(event.kind, "incoming-report.abuse-report"),
        "data": {
            "spanId": queue_id + 1,
            "queueId": queue_id,
            "from": "bounces@news.example.com",
            "to": event.address,
            "hostname": "mx.example.org",
            "details": details,
            "total": 1,
        },
    }


SENDERS = (StalwartSamples,)

"""A make-believe Haraka with the plugin of docs/providers/haraka.md."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.provider import WebhookRequest
from worker.samples.posting import iso_time, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

EVENTS_PER_BATCH = 100

_HOOKS: dict[Kind, str] = {
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferred",
    Kind.SOFT_BOUNCE: "bounce",
    Kind.HARD_BOUNCE: "bounce",
    Kind.BLOCKED: "bounce",
}


class HarakaSamples(MakeBelieveVendor):
    """Arrays of up to a hundred events."""

    provider: ClassVar[str] = "haraka"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """The events in batches."""
        del now  # the plugin notes the time when the hook runs
        return [
            self.posted([sample_values(event) for event in events[start : start + EVENTS_PER_BATCH]])
            for start in range(0, len(events), EVENTS_PER_BATCH)
        ]

    def posted(self, document: Any) -> WebhookRequest:
        """The POST of this JSON value."""
        return post(self.provider, json.dumps(document).encode(), {"authorization": f"Bearer {self.secret}"})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as the plugin reports it."""
    reply = reply_for(event)
    return {
        "hook": _HOOKS.get(event.kind, "queue_outbound"),
        "id": event.message_id,
        "recipient": event.address,
        "sender": "bounces@news.example.com",
        "smtp_code": reply.smtp_code if reply else None,
        "enhanced_status": reply.enhanced_status if reply else None,
        "reply": reply.text if reply else "250 OK",
        "gave_up": False,
        "failures": 0,
        "time": iso_time(event.occurred_at),
        "tags": list(event.tags),
        "metadata": event.metadata or {},
    }

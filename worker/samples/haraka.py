"""A make-believe Haraka with the plugin of docs/providers/haraka.md."""

from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.samples.posting import bearer, iso_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

EVENTS_PER_BATCH = 100

_HOOKS: dict[Kind, str] = {
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferred",
    Kind.SOFT_BOUNCE: "bounce",
    Kind.HARD_BOUNCE: "bounce",
    Kind.BLOCKED: "bounce",
}


class HarakaSamples(UntimedVendor):
    """Arrays of up to a hundred events."""

    provider: ClassVar[str] = "haraka"
    shown = staticmethod(bearer)
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)


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
        "remote_host": "mx.example.org" if reply else None,
        "gave_up": False,
        "failures": 0,
        "time": iso_time(event.occurred_at),
        "tags": list(event.tags),
        "metadata": event.metadata or {},
    }


SENDERS = (HarakaSamples,)

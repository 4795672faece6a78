"""A make-believe GreenArrow Engine: arrays of events, with user and password."""

from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.samples.posting import basic, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

EVENTS_PER_BATCH = 100

_NAMES: dict[Kind, str] = {
    Kind.SOFT_BOUNCE: "bounce_all",
    Kind.HARD_BOUNCE: "bounce_bad_address",
    Kind.BLOCKED: "bounce_all",
    Kind.COMPLAINT: "scomp",
    Kind.OPENED: "engine_open",
    Kind.CLICKED: "engine_click",
    Kind.UNSUBSCRIBE: "engine_unsub",
}
_STATUSES = {Kind.DELIVERED: "success", Kind.DEFERRED: "deferral"}
_TYPES = {Kind.SOFT_BOUNCE: "s", Kind.HARD_BOUNCE: "h", Kind.BLOCKED: "o"}


class GreenArrowSamples(UntimedVendor):
    """Up to a hundred events a request."""

    provider: ClassVar[str] = "greenarrow"
    shown = staticmethod(basic)
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH

    def make_secret(self, made_up: str) -> str:
        """User and password."""
        return f"greenarrow:{made_up}"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as GreenArrow writes it."""
    reply = reply_for(event)
    seconds = int(event.occurred_at.timestamp())
    own_id = event.vendor_event_id
    common = {
        "id": int(own_id) if own_id is not None and own_id.isdecimal() else int(made_up_id(event), 16) % 2**53,
        "event_time": seconds,
        "email": event.address,
        "listid": event.scope or "news",
        "sendid": event.tags[0] if event.tags else "send-1",
        "click_tracking_id": event.message_id,
    }
    if event.kind in _STATUSES:
        words = reply.line if reply else "250 2.0.0 OK"
        attempt = {"status": _STATUSES[event.kind], "timestamp": seconds, "msguid": "m1", "message": words}
        return {"event_type": "delivery_attempt", **common, **attempt, "sender": "bounces@news.example.com"}
    values = {"event_type": _NAMES.get(event.kind, "studio_subscriber_changed"), **common}
    if event.kind in _TYPES:
        text = f"192.0.2.25 failed after RCPT TO. Remote host said: {reply.line}" if reply else ""
        values |= {"bounce_type": _TYPES[event.kind], "bounce_code": 10, "bounce_text": text, "synchronous": True}
    if event.kind is Kind.CLICKED:
        values["click_url"] = "https://example.org/"
    return values


SENDERS = (GreenArrowSamples,)

"""A make-believe SendPulse: it signs nothing, and has a token in its URL."""

from hashlib import blake2b
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.vendors.sendpulse import TOKEN
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "delivered",  # SendPulse has no word for these two
    Kind.DEFERRED: "undelivered",
    Kind.DELIVERED: "delivered",
    Kind.SOFT_BOUNCE: "soft_bounces",
    Kind.HARD_BOUNCE: "hard_bounces",
    Kind.BLOCKED: "undelivered",
    Kind.DROPPED: "undelivered",  # nor for this
    Kind.OPENED: "opened",
    Kind.CLICKED: "clicked",
    Kind.UNSUBSCRIBE: "unsubscribed",
    Kind.RESUBSCRIBE: "resubscribed",
    Kind.COMPLAINT: "spam_by_user",
    Kind.OTHER: "new_emails",
}
_MOST_EVENTS = 500


class SendPulseSamples(UntimedVendor):
    """One request for every five hundred events, as its SMTP service posts them."""

    provider: ClassVar[str] = "sendpulse"
    events_per_request: ClassVar[int | None] = _MOST_EVENTS

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def query(self) -> dict[str, str]:
        """The token."""
        return {TOKEN.parameter: self.secret}


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as SendPulse's SMTP service writes it."""
    values: dict[str, Any] = {
        "event": _NAMES[event.kind],
        "timestamp": int(event.occurred_at.timestamp()),
        "message_id": int.from_bytes(blake2b(event.message_id.encode(), digest_size=4).digest(), "big"),
        "recipient": event.address,
        "sender": "news@example.com",
        "subject": "Hello",
    }
    if event.kind is Kind.CLICKED:
        values["link_url"] = "https://example.com/"
    if reply := reply_for(event):
        values |= {
            "smtp_server_response_code": str(reply.smtp_code),
            "smtp_server_response_subcode": reply.enhanced_status,
            "smtp_server_response": reply.text,
        }
    return values


SENDERS = (SendPulseSamples,)

"""A make-believe Mailtrap, with a signing secret of its own."""

from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.mailtrap import CATEGORIES, EVENTS, SIGNATURE_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import hex_hmac, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

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


class MailtrapSamples(UntimedVendor):
    """Up to 500 events a request."""

    provider: ClassVar[str] = "mailtrap"
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH

    def make_secret(self, made_up: str) -> str:
        """32 hex digits."""
        return made_up[:32]

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def posted(self, content: Any) -> WebhookRequest:
        """The POST of these events."""
        return super().posted({"events": content})

    def proof(self, body: bytes) -> dict[str, str]:
        """The signature over the body."""
        return {SIGNATURE_HEADER: hex_hmac(self.secret, body)}


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


SENDERS = (MailtrapSamples,)

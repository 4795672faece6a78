"""A make-believe Maileroo, with a shared secret of its own."""

from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.vendors.maileroo import SIGNATURE_HEADER
from worker.samples.posting import hex_hmac, iso_time, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

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


class MailerooSamples(UntimedVendor):
    """One request for each event."""

    provider: ClassVar[str] = "maileroo"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def proof(self, body: bytes) -> dict[str, str]:
        """The signature over the body."""
        return {SIGNATURE_HEADER: hex_hmac(self.secret, body)}


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


SENDERS = (MailerooSamples,)

"""A make-believe Unisender Go that hashes as the real one does."""

import json
from datetime import UTC
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.hmac_signature import body_hash
from worker.providers.vendors.unisender_go import DELIVERY_STATUSES, SPAM_BLOCK_EVENT, STATUS_EVENT
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

EVENTS_PER_BATCH = 100
BESIDE: dict[str, Any] = {"user_id": 456, "project_id": "6123462132634", "project_name": "Shop"}

_STATUSES: dict[Kind, str] = {
    Kind.ACCEPTED: "sent",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "soft_bounced",
    Kind.OPENED: "opened",
    Kind.CLICKED: "clicked",
    Kind.UNSUBSCRIBE: "unsubscribed",
    Kind.RESUBSCRIBE: "subscribed",
    Kind.COMPLAINT: "spam",
}
_WORDS: dict[tuple[Kind, Cause], str] = {meaning: word for word, meaning in reversed(DELIVERY_STATUSES.items())}


class UnisenderGoSamples(UntimedVendor):
    """At most 100 events a request; `single` gives the form of one event a request."""

    provider: ClassVar[str] = "unisender_go"
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_element(event)

    def posted(self, content: Any) -> WebhookRequest:
        """The POST of these events."""
        return self.hashed({"events_by_user": [{**BESIDE, "events": content}]})

    def single(self, event: SampleEvent) -> WebhookRequest:
        """The POST of one event by a webhook with `single_event`."""
        element = sample_element(event)
        return self.hashed({"event_name": element["event_name"], **BESIDE, **element["event_data"]})

    def hashed(self, content: dict[str, Any]) -> WebhookRequest:
        """The POST of this content, with its hash in `auth`."""
        body = json.dumps({"auth": self.secret, **content}).encode()
        digest = body_hash(body, "md5")
        return post(self.provider, body.replace(self.secret.encode(), digest.encode()), {"id": "call-1"})


def sample_element(event: SampleEvent) -> dict[str, Any]:
    """The event as Unisender Go writes it."""
    time = event.occurred_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if event.kind is Kind.OTHER:
        block = {"block_time": time, "block_type": "one_smtp", "domain": "example.org", "SMTP_blocks_count": 1}
        return {"event_name": SPAM_BLOCK_EVENT, "event_data": {**block, "domain_status": "blocked"}}
    status = _STATUSES.get(event.kind, "hard_bounced")
    data: dict[str, Any] = {
        "job_id": event.message_id,
        "metadata": event.metadata or {},
        "email": event.address,
        "status": status,
        "event_time": time,
    }
    if status in ("hard_bounced", "soft_bounced"):
        reply = reply_for(event)
        word = _WORDS.get((event.kind, event.cause), "err_delivery_failed")
        data["delivery_info"] = {
            "delivery_status": "err_will_retry" if event.kind is Kind.DEFERRED else word,
            "destination_response": reply.line if reply is not None else "",
        }
    elif status == "clicked":
        data["url"] = "https://example.org/offer"
    return {"event_name": STATUS_EVENT, "event_data": data}


SENDERS = (UnisenderGoSamples,)

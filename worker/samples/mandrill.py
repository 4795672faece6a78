"""A make-believe Mandrill: a form with an array of events, signed together with the webhook's URL."""

import json
from typing import Any, ClassVar
from urllib.parse import urlencode

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.mandrill import EVENTS_FIELD, REJECT_REASONS, SAMPLE_ADDRESS, SIGNATURE_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.url_vendor import UrlVendor

EVENTS_PER_BATCH = 100
SAMPLE_URL = "https://bouncekeeper.example.org/webhooks/mandrill"

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "send",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "deferral",
    Kind.SOFT_BOUNCE: "soft_bounce",
    Kind.HARD_BOUNCE: "hard_bounce",
    Kind.BLOCKED: "soft_bounce",
    Kind.DROPPED: "reject",
    Kind.OPENED: "open",
    Kind.CLICKED: "click",
    Kind.COMPLAINT: "spam",
    Kind.UNSUBSCRIBE: "unsub",
}
_STATES: dict[Kind, str] = {
    Kind.DEFERRED: "deferred",
    Kind.SOFT_BOUNCE: "soft-bounced",
    Kind.HARD_BOUNCE: "bounced",
    Kind.BLOCKED: "soft-bounced",
    Kind.DROPPED: "rejected",
    Kind.COMPLAINT: "spam",
    Kind.UNSUBSCRIBE: "unsub",
}
_BOUNCES: dict[Cause, tuple[str, int]] = {
    Cause.MAILBOX_DOES_NOT_EXIST: ("bad_mailbox", 10),
    Cause.DOMAIN_DOES_NOT_EXIST: ("invalid_domain", 21),
    Cause.DNS_FAILURE: ("invalid_domain", 21),
    Cause.MAILBOX_FULL: ("mailbox_full", 22),
    Cause.SENDER_REPUTATION: ("blocked", 51),
    Cause.CONTENT: ("spam", 52),
}
_REASONS = {cause: reason for reason, cause in reversed(REJECT_REASONS.items())}


class MandrillSamples(UrlVendor):
    """Batches of a hundred events, posted to `url`."""

    provider: ClassVar[str] = "mandrill"
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH
    sample_url: ClassVar[str] = SAMPLE_URL

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_element(event)

    def posted(self, content: Any, *, key: str | None = None) -> WebhookRequest:
        """The POST of these elements, signed by this vendor's key unless another is given."""
        fields = {EVENTS_FIELD: json.dumps(content)}
        headers = {SIGNATURE_HEADER: self.signature(self.url, fields, key=key)}
        form = "application/x-www-form-urlencoded"
        return post(self.provider, urlencode(fields).encode(), headers, content_type=form)


def sample_element(event: SampleEvent) -> dict[str, Any]:
    """The event as one element of Mandrill's array."""
    seconds = int(event.occurred_at.timestamp())
    address = SAMPLE_ADDRESS if event.cause is Cause.TEST else event.address
    if event.kind not in _NAMES:  # RESUBSCRIBE and OTHER: an operator takes an address off the reject list
        return {"type": "denylist", "action": "remove", "ts": seconds, "reject": {"email": address, "reason": "custom"}}
    message: dict[str, Any] = {
        "ts": seconds - 2,
        "_id": event.message_id,
        "state": _STATES.get(event.kind, "sent"),
        "subject": "Hello",
        "email": address,
        "sender": "news@example.org",
        "tags": list(event.tags),
        "metadata": event.metadata or [],  # as PHP writes an empty object
        "opens": [],
        "clicks": [],
        "smtp_events": [],
        "resends": [],
        "template": None,
        "subaccount": None,
        "_version": "exampleVersion",
    }
    if event.kind is Kind.DROPPED:
        message["reject_reason"] = _REASONS.get(event.cause, "custom")
    elif event.kind in _STATES and (reply := reply_for(event)):
        message["diag"] = f"smtp;{reply.line}"
        if event.kind is not Kind.DEFERRED:
            message["bounce_description"], message["bgtools_code"] = _BOUNCES.get(event.cause, ("general", 40))
    element = {"event": _NAMES[event.kind], "_id": event.message_id, "ts": seconds, "msg": message}
    if event.kind is Kind.CLICKED:
        element["url"] = "https://example.org/offer"
    return element


SENDERS = (MandrillSamples,)

"""A make-believe Mandrill: a form with an array of events, signed together with the webhook's URL."""

import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self
from urllib.parse import urlencode

from msgspec import structs

from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.signed_form import URL_OPTION, signed_message, source_urls
from worker.providers.mandrill import EVENTS_FIELD, REJECT_REASONS, SAMPLE_ADDRESS, SIGNATURE_HEADER
from worker.providers.provider import WebhookRequest
from worker.samples.posting import post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

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


class MandrillSamples(MakeBelieveVendor):
    """Batches of a hundred events, posted to `url`."""

    provider: ClassVar[str] = "mandrill"
    url: str = SAMPLE_URL

    def source(self, name: str) -> Source:
        """A source that accepts this sender's requests."""
        return structs.replace(super().source(name), options={URL_OPTION: self.url})

    def speaking_as(self, source: Source) -> Self:
        """A sender with this source's first key and URL."""
        speaking = super().speaking_as(source)
        speaking.url = next(iter(source_urls(source)), self.url)
        return speaking

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """The events in batches."""
        del now  # nothing in a request says when it was sent
        return [
            self.signed([sample_element(event) for event in events[start : start + EVENTS_PER_BATCH]])
            for start in range(0, len(events), EVENTS_PER_BATCH)
        ]

    def signed(self, elements: Sequence[Any], *, key: str | None = None) -> WebhookRequest:
        """The POST of these elements."""
        fields = {EVENTS_FIELD: json.dumps(elements)}
        message = signed_message(self.url, {name: value.encode() for name, value in fields.items()})
        digest = hmac.digest((key or self.secret).encode(), message, "sha1")
        return post(
            self.provider,
            urlencode(fields).encode(),
            {SIGNATURE_HEADER: b64encode(digest).decode()},
            content_type="application/x-www-form-urlencoded",
        )


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

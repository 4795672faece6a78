"""A make-believe Elastic Email: it signs nothing, and shows a token."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.elastic_email import CATEGORIES
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.untimed_vendor import UntimedVendor

_STATUSES: dict[Kind, str] = {
    Kind.ACCEPTED: "Sent",
    Kind.DELIVERED: "Sent",
    Kind.OPENED: "Opened",
    Kind.CLICKED: "Clicked",
    Kind.UNSUBSCRIBE: "Unsubscribed",
    Kind.COMPLAINT: "AbuseReport",
    Kind.OTHER: "Opened",  # Elastic Email has no word for it
    Kind.RESUBSCRIBE: "Opened",
}
_CATEGORIES: dict[tuple[Kind, Cause], str] = {meaning: category for category, meaning in reversed(CATEGORIES.items())}


class ElasticEmailSamples(UntimedVendor):
    """One request for each event, as a form; `as_json` and `as_get` give the other shapes."""

    provider: ClassVar[str] = "elastic_email"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def posted(self, content: Any) -> WebhookRequest:
        """The POST of these parameters."""
        return self.posted_body(urlencode(content).encode(), "application/x-www-form-urlencoded")

    def as_json(self, values: Mapping[str, Any]) -> WebhookRequest:
        """The POST of these parameters as a flat object."""
        return super().posted(values)

    def query(self) -> dict[str, str]:
        """The token."""
        return {"token": self.secret}

    def as_get(self, values: Mapping[str, Any]) -> WebhookRequest:
        """The GET whose URL has these parameters, after the token that stood there before."""
        query = {"token": self.secret, **values}
        request = post(self.provider, urlencode(query).encode(), {}, content_type="", query=query)
        return msgspec.structs.replace(request, method="GET")


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Elastic Email writes it."""
    values = {
        "transaction": made_up_id(event),
        "to": event.address,
        "from": "news@example.org",
        "date": event.occurred_at.astimezone(UTC).strftime("%m/%d/%Y %I:%M:%S %p"),
        "subject": "Hello",
        "status": _STATUSES.get(event.kind, "Error"),
        "channel": event.tags[0] if event.tags else "",
        "account": "shop@example.org",
        "category": "Unknown",
        "messageid": event.message_id,
        "postback": "order-77",
    }
    if values["status"] == "Error":
        values["category"] = _CATEGORIES.get((event.kind, event.cause), "Unknown")
    elif values["status"] == "Clicked":
        values["target"] = "https://example.org/offer"
    return values


SENDERS = (ElasticEmailSamples,)

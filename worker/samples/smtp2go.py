"""A make-believe SMTP2GO: it signs nothing, and shows user and password."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from schemas.vocabulary import Kind
from worker.providers.provider import WebhookRequest
from worker.providers.smtp2go import EVENTS
from worker.samples.posting import iso_time, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in EVENTS.items()} | {
    Kind.SOFT_BOUNCE: "bounce",
    Kind.HARD_BOUNCE: "bounce",
    Kind.BLOCKED: "bounce",
    Kind.DEFERRED: "processed",  # SMTP2GO has no word for it
    Kind.OTHER: "resubscribe",
    Kind.RESUBSCRIBE: "resubscribe",
}


class Smtp2goSamples(MakeBelieveVendor):
    """One request for each event, as JSON; `as_form` gives the other output type."""

    provider: ClassVar[str] = "smtp2go"

    def make_secret(self, made_up: str) -> str:
        """User and password."""
        return f"smtp2go:{made_up}"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        del now  # nothing in a request says when it was sent
        return [self.posted(sample_values(event)) for event in events]

    def posted(self, values: Mapping[str, Any]) -> WebhookRequest:
        """The POST of these values."""
        return post(self.provider, json.dumps(values).encode(), self._headers())

    def as_form(self, values: Mapping[str, Any]) -> WebhookRequest:
        """The POST of these values by a webhook whose output type is form."""
        body = urlencode({name: value for name, value in values.items() if value is not None}).encode()
        return post(self.provider, body, self._headers(), content_type="application/x-www-form-urlencoded")

    def _headers(self) -> dict[str, str]:
        return {"authorization": "Basic " + base64.b64encode(self.secret.encode()).decode()}


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as SMTP2GO writes it."""
    name = _NAMES[event.kind]
    values: dict[str, Any] = {
        "event": name,
        "time": iso_time(event.occurred_at),
        "sendtime": iso_time(event.occurred_at),
        "sender": "news@example.org",
        "from": "news@example.org",
        "subject": "Hello",
        "auth": "api-key-of-the-shop",
        "email_id": event.message_id,
        "srchost": "192.0.2.1",
        **(event.metadata or {}),
    }
    if name == "processed":
        return {**values, "recipients": [event.address]}
    values["rcpt"] = event.address
    if name == "bounce":
        reply = reply_for(event)
        values |= {
            "bounce": "hard" if event.kind is Kind.HARD_BOUNCE else "soft",
            "host": "mx.example.org [192.0.2.20]",
            "context": f"RCPT TO:<{event.address}>",
            "message": reply.line if reply is not None else None,
        }
    elif name == "click":
        values["url"] = "https://example.org/offer"
    return values

"""A make-believe SMTP2GO: it signs nothing, and shows user and password."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from schemas.vocabulary import Kind
from worker.providers.vendors.smtp2go import EVENTS
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import basic, iso_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in EVENTS.items()} | {
    Kind.SOFT_BOUNCE: "bounce",
    Kind.HARD_BOUNCE: "bounce",
    Kind.BLOCKED: "bounce",
    Kind.DEFERRED: "processed",  # SMTP2GO has no word for it
    Kind.OTHER: "resubscribe",
    Kind.RESUBSCRIBE: "resubscribe",
}


class Smtp2goSamples(UntimedVendor):
    """One request for each event, as JSON; `as_form` gives the other output type."""

    provider: ClassVar[str] = "smtp2go"
    shown = staticmethod(basic)

    def make_secret(self, made_up: str) -> str:
        """User and password."""
        return f"smtp2go:{made_up}"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def as_form(self, values: Mapping[str, Any]) -> WebhookRequest:
        """The POST of these values by a webhook whose output type is form."""
        body = urlencode({name: value for name, value in values.items() if value is not None}).encode()
        return self.posted_body(body, "application/x-www-form-urlencoded")


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


SENDERS = (Smtp2goSamples,)

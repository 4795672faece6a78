"""A make-believe Loops, with a signing secret of its own."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.authentication.standard_webhooks import SECRET_PREFIX
from worker.providers.vendors.loops import EVENTS
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import made_up_id, post, standard_signature, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in reversed(EVENTS.items())} | {
    Kind.OTHER: "contact.created",
    # Loops has no words for these
    Kind.SOFT_BOUNCE: "email.softBounced",
    Kind.BLOCKED: "email.hardBounced",
    Kind.DROPPED: "email.hardBounced",
}


class LoopsSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "loops"

    def make_secret(self, made_up: str) -> str:
        """`whsec_` and base64."""
        return SECRET_PREFIX + base64.b64encode(bytes.fromhex(made_up)).decode()

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.signed(sample_values(event), f"msg_{made_up_id(event)}", now=now) for event in events]

    def signed(self, values: dict[str, Any], event_id: str, *, now: datetime) -> WebhookRequest:
        """The POST of these values; the id stays the same when they are sent again, the time does not."""
        body, timestamp = json.dumps(values).encode(), unix_time(now)
        key = base64.b64decode(self.secret.removeprefix(SECRET_PREFIX))
        signature = standard_signature(key, event_id, timestamp, body)
        headers = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
        return post(self.provider, body, headers)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Loops writes it."""
    name = _NAMES[event.kind]
    identity = {"id": "contact-1", "email": event.address, "userId": None}
    values: dict[str, Any] = {
        "eventName": name,
        "eventTime": int(event.occurred_at.timestamp()),
        "webhookSchemaVersion": "1.0.0",
        "contactIdentity": identity,
    }
    if name.startswith("contact."):
        return values | {"contact": identity | {"source": "API", "subscribed": True, "mailingLists": {}}}
    sent = {"id": event.message_id, "emailMessageId": "version-1", "subject": "Hello"}
    return values | {"sourceType": "campaign", "campaignId": "campaign-1", "email": sent}


SENDERS = (LoopsSamples,)

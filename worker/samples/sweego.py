"""A make-believe Sweego, with a secret of its own."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.vendors.sweego import SIGNATURE_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post, standard_signature, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "email_sent",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "soft-bounce",  # Sweego has no word for it
    Kind.SOFT_BOUNCE: "soft-bounce",
    Kind.HARD_BOUNCE: "hard_bounce",
    Kind.BLOCKED: "hard_bounce",
    Kind.DROPPED: "email_sent",  # nor for these
    Kind.RESUBSCRIBE: "email_sent",
    Kind.OPENED: "email_opened",
    Kind.CLICKED: "email_clicked",
    Kind.UNSUBSCRIBE: "list_unsub",
    Kind.COMPLAINT: "complaint",
    Kind.OTHER: "email_inbound",
}


class SweegoSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "sweego"

    def make_secret(self, made_up: str) -> str:
        """Base64, without a prefix."""
        return base64.b64encode(bytes.fromhex(made_up)).decode()

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event, signed at `now`."""
        return [self.signed(sample_values(event), now=now) for event in events]

    def signed(self, values: dict[str, Any], *, now: datetime) -> WebhookRequest:
        """The POST of these values; the signature stands without a version."""
        body = json.dumps(values).encode()
        message_id, timestamp = "made-up-id", unix_time(now)
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            SIGNATURE_HEADER: standard_signature(key, message_id, timestamp, body),
        }
        return post(self.provider, body, headers)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Sweego writes it."""
    name = _NAMES[event.kind]
    values: dict[str, Any] = {
        "event_type": name,
        "timestamp": iso_time(event.occurred_at).replace("Z", "+00:00"),
        "swg_uid": event.message_id,
        "event_id": made_up_id(event),
        "channel": "email",
        "transaction_id": f"transaction-{event.message_id}",
        "headers": {"x-transaction-id": f"transaction-{event.message_id}", **(event.metadata or {})},
        "campaign_tags": list(event.tags),
        "campaign_type": "transac",
        "campaign_id": "spring",
        "recipient": event.address,
        "domain_from": "example.com",
    }
    reply = reply_for(event)
    if name in {"soft-bounce", "hard_bounce"} and reply is not None:
        details = f"zone-mta: info Sender/mx/1[1] id=1.001 REJECTED[other] to={event.address} id=<1@x> ({reply.line})"
        values |= {"details": details, "response_code": reply.smtp_code, "status": None}
    elif name in {"email_opened", "email_clicked"}:
        values["open" if name == "email_opened" else "click"] = {"ip_address": "192.0.2.1", "proxy": False}
    return values


SENDERS = (SweegoSamples,)

"""A make-believe AhaSend, with a signing secret of its own."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.vendors.ahasend import BOUNCED, EVENTS, SUPPRESSION
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post, standard_signature, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in reversed(EVENTS.items())} | {
    Kind.SOFT_BOUNCE: BOUNCED,
    Kind.HARD_BOUNCE: BOUNCED,
    Kind.BLOCKED: BOUNCED,
    Kind.COMPLAINT: SUPPRESSION,
    # AhaSend has no words for these
    Kind.UNSUBSCRIBE: "message.routing",
    Kind.RESUBSCRIBE: "message.routing",
    Kind.OTHER: "message.routing",
}


class AhaSendSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "ahasend"

    def make_secret(self, made_up: str) -> str:
        """With the prefix, which belongs to the key here."""
        return f"aha-whsec-{made_up[:40]}"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.signed(sample_values(event), made_up_id(event), now=now) for event in events]

    def signed(self, values: dict[str, Any], event_id: str, *, now: datetime) -> WebhookRequest:
        """The POST of these values; the id stays the same when they are sent again, the time does not."""
        body, timestamp = json.dumps(values).encode(), unix_time(now)
        signature = standard_signature(self.secret.encode(), event_id, timestamp, body)
        headers = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
        return post(self.provider, body, headers)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as AhaSend writes it."""
    name = _NAMES[event.kind]
    data: dict[str, Any] = {
        "account_id": "aaaaaaaa-0000-4000-8000-000000000002",
        "event": f"on_{name.partition('.')[2]}",
        "from": "news@example.com",
        "recipient": event.address,
        "subject": "Hello",
        "message_id_header": event.message_id,
        "id": f"internal-{event.message_id}",
    }
    if reply := reply_for(event):
        data["delivery_attempt"] = {
            "smtp_code": reply.smtp_code,
            "enhanced_status_code": reply.enhanced_status,
            "response": reply.text,
            "command": "RCPT TO",
        }
    elif name == SUPPRESSION:
        data = {"account_id": data["account_id"], "recipient": event.address, "reason": "Spam complaint"}
    if event.kind in {Kind.OPENED, Kind.CLICKED}:
        data |= {"user_agent": "Mozilla/5.0", "ip": "192.0.2.77", "is_bot": event.machine}
    return {
        "type": name,
        "timestamp": iso_time(event.occurred_at).replace("Z", "789Z"),  # nanoseconds
        "webhook_id": "aaaaaaaa-0000-4000-8000-000000000001",
        "data": data,
    }


SENDERS = (AhaSendSamples,)

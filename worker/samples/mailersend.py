"""A make-believe MailerSend, with a signing secret of its own; its webhooks are of version 1."""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.mailersend import EVENTS, SIGNATURE_HEADER
from worker.providers.provider import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in reversed(EVENTS.items())} | {
    Kind.BLOCKED: "activity.hard_bounced",
    Kind.RESUBSCRIBE: "recipient.on_hold_removed",  # MailerSend has no word for it
}
_MORPHS: dict[Kind, str] = {
    Kind.DEFERRED: "recipient_bounce",
    Kind.SOFT_BOUNCE: "recipient_bounce",
    Kind.HARD_BOUNCE: "recipient_bounce",
    Kind.BLOCKED: "recipient_bounce",
    Kind.COMPLAINT: "spam_complaint",
    Kind.UNSUBSCRIBE: "recipient_unsubscribe",
    Kind.OPENED: "open",
    Kind.CLICKED: "click",
}


class MailerSendSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "mailersend"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        del now  # nothing in a request says when it was sent
        return [self.signed(sample_values(event)) for event in events]

    def signed(self, values: dict[str, Any], *, secret: str | None = None) -> WebhookRequest:
        """The POST of these values, under this vendor's secret unless another is given."""
        body = json.dumps(values).encode()
        key = self.secret if secret is None else secret
        return post(self.provider, body, {SIGNATURE_HEADER: hmac.new(key.encode(), body, sha256).hexdigest()})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as MailerSend writes it in version 1."""
    name, moment, reply = _NAMES[event.kind], iso_time(event.occurred_at), reply_for(event)
    morph = {"object": _MORPHS[event.kind], "reason": reply.line if reply else None} if event.kind in _MORPHS else None
    return {
        "type": name,
        "domain_id": "dom00001",
        "created_at": moment,
        "webhook_id": "wh000001",
        "url": "https://hooks.example.com/mailersend",
        "data": {
            "object": "activity",
            "id": made_up_id(event),
            "type": name.partition(".")[2],
            "created_at": moment,
            "email": {
                "object": "email",
                "id": f"eml-{event.message_id}",
                "from": "news@example.com",
                "subject": "Hello",
                "tags": list(event.tags) or None,
                "message": {"object": "message", "id": event.message_id, "created_at": moment},
                "recipient": {"object": "recipient", "id": "rcp1", "email": event.address, "created_at": moment},
            },
            "morph": morph,
        },
    }

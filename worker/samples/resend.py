"""A make-believe Resend, with a signing secret of its own."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.standard_webhooks import SECRET_PREFIX
from worker.providers.vendors.amazon.ses_vocabulary import BOUNCES
from worker.providers.vendors.resend import BOUNCED, EVENTS, SUPPRESSED
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post, standard_signature, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in reversed(EVENTS.items())} | {
    Kind.DROPPED: SUPPRESSED,
    Kind.SOFT_BOUNCE: BOUNCED,
    Kind.HARD_BOUNCE: BOUNCED,
    Kind.BLOCKED: BOUNCED,
    Kind.UNSUBSCRIBE: "contact.updated",
    Kind.RESUBSCRIBE: "contact.updated",
}
_PAIRS = {meaning: pair for pair, meaning in reversed(BOUNCES.items())}
_VAGUE_TYPES = {Kind.HARD_BOUNCE: "Permanent", Kind.BLOCKED: "Permanent", Kind.SOFT_BOUNCE: "Transient"}


class ResendSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "resend"

    def make_secret(self, made_up: str) -> str:
        """As Svix writes them."""
        return SECRET_PREFIX + base64.b64encode(bytes.fromhex(made_up)).decode()

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.signed(sample_values(event), f"msg_{made_up_id(event)}", now=now) for event in events]

    def signed(self, values: dict[str, Any], message_id: str, *, now: datetime) -> WebhookRequest:
        """The POST of these values; the id stays the same when they are sent again, the time does not."""
        body, timestamp = json.dumps(values).encode(), unix_time(now)
        key = base64.b64decode(self.secret.removeprefix(SECRET_PREFIX))
        signature = standard_signature(key, message_id, timestamp, body)
        headers = {"svix-id": message_id, "svix-timestamp": timestamp, "svix-signature": f"v1,{signature}"}
        return post(self.provider, body, headers)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Resend writes it."""
    name = _NAMES[event.kind]
    if name.startswith("contact."):
        data: dict[str, Any] = {
            "id": event.message_id,
            "email": event.address,
            "unsubscribed": event.kind is Kind.UNSUBSCRIBE,
        }
    else:
        data = {
            "email_id": event.message_id,
            "created_at": iso_time(event.occurred_at),
            "from": "Shop <news@example.com>",
            "to": [event.address],
            "subject": "Hello",
            "tags": event.metadata or {},
        }
    if name == BOUNCED:
        data["bounce"] = _bounce(event)
    elif name == SUPPRESSED:
        data["suppressed"] = {"type": "OnAccountSuppressionList", "message": "The address is on the suppression list."}
    return {"type": name, "created_at": iso_time(event.occurred_at), "data": data}


def _bounce(event: SampleEvent) -> dict[str, Any]:
    bounce_type, subtype = _PAIRS.get((event.kind, event.cause), (_VAGUE_TYPES[event.kind], "General"))
    reply = reply_for(event)
    lines = [f"smtp; {reply.line}"] if reply is not None and event.cause is not Cause.UNDETERMINED else []
    return {"type": bounce_type, "subType": subtype, "message": "Resend's own words.", "diagnosticCode": lines}


SENDERS = (ResendSamples,)

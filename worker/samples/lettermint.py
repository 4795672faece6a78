"""A make-believe Lettermint, with a signing secret of its own."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.lettermint import EVENTS, SIGNATURE_HEADER, SUPPRESSED, SUPPRESSIONS
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import hex_hmac, iso_time, made_up_id, post, unix_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in reversed(EVENTS.items())} | {
    Kind.ACCEPTED: "message.sent",
    Kind.DEFERRED: "message.soft_bounced",  # Lettermint does not say whether it tries again
    Kind.BLOCKED: "message.hard_bounced",
    Kind.DROPPED: SUPPRESSED,
    Kind.RESUBSCRIBE: "suppression.removed",
    Kind.OTHER: "message.scheduled",
}
_REASONS: dict[Cause, str] = {cause: reason for reason, cause in reversed(SUPPRESSIONS.items())}


class LettermintSamples(MakeBelieveVendor):
    """One request for each event."""

    provider: ClassVar[str] = "lettermint"

    def make_secret(self, made_up: str) -> str:
        """With the prefix, which belongs to the key here."""
        return f"whsec_{made_up[:40]}"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.signed(sample_values(event), now=now) for event in events]

    def signed(self, values: dict[str, Any], *, now: datetime) -> WebhookRequest:
        """The POST of these values."""
        body, timestamp = json.dumps(values).encode(), unix_time(now)
        signature = hex_hmac(self.secret, timestamp.encode() + b"." + body)
        headers = {
            SIGNATURE_HEADER: f"t={timestamp},v1={signature}",
            "x-lettermint-event": str(values.get("event")),
            "x-lettermint-delivery": timestamp,
            "x-lettermint-attempt": "1",
        }
        return post(self.provider, body, headers)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Lettermint writes it."""
    reply = reply_for(event)
    data: dict[str, Any] = {
        "message_id": event.message_id,
        "subject": "Hello",
        "recipient": event.address,
        "metadata": event.metadata or [],  # as PHP writes an empty object
        "tag": event.tags[0] if event.tags else None,
    }
    if reply is not None:
        data["response"] = {
            "status_code": reply.smtp_code,
            "enhanced_status_code": reply.enhanced_status,
            "content": reply.text,
        }
    elif event.kind is Kind.DROPPED:
        data["reason"] = _REASONS.get(event.cause, "manual")
    return {
        "id": made_up_id(event),
        "event": _NAMES[event.kind],
        "timestamp": iso_time(event.occurred_at),
        "context": {"scope": "route", "team_id": "team_1", "project_id": "project_1", "route_id": "route_1"},
        "data": data,
    }


SENDERS = (LettermintSamples,)

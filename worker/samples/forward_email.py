"""A make-believe Forward Email, with a webhook key of its own."""

import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.forward_email import CATEGORIES, SIGNATURE_HEADER
from worker.providers.provider import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import ServerReply, reply_for
from worker.samples.vendor import MakeBelieveVendor

_NO_REASON = ServerReply(smtp_code=550, enhanced_status="5.0.0", text="not delivered")
_CATEGORY_BY_CAUSE: dict[Cause, str] = {
    Cause.MAILBOX_DOES_NOT_EXIST: "recipient",
    Cause.MAILBOX_DISABLED: "recipient",
    Cause.SENDER_REPUTATION: "blocklist",
    **{cause: category for category, (_, cause) in CATEGORIES.items() if category in {"spam", "virus", "policy"}},
}


class ForwardEmailSamples(MakeBelieveVendor):
    """One request for each event; what is no failure, Forward Email does not tell, and it comes as one."""

    provider: ClassVar[str] = "forward_email"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        del now  # nothing in a request says when it was sent
        return [self.signed(sample_values(event)) for event in events]

    def signed(self, values: dict[str, Any]) -> WebhookRequest:
        """The POST of these values."""
        body = json.dumps(values).encode()
        signature = hmac.new(self.secret.encode(), body, sha256).hexdigest()
        return post(self.provider, body, {SIGNATURE_HEADER: signature})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The failure as Forward Email writes it."""
    reply = reply_for(event) or _NO_REASON
    return {
        "email_id": made_up_id(event),
        "list_id": "<news.example.com>",
        "recipient": event.address,
        "message": reply.line,
        "response": reply.line,
        "response_code": reply.smtp_code,
        "truth_source": False,
        "headers": {
            "Message-ID": f"<{event.message_id}@example.com>",
            "From": "News <news@example.com>",
            **{f"X-{key}": str(value) for key, value in (event.metadata or {}).items()},
        },
        "bounce": {
            "action": "defer" if event.kind is Kind.DEFERRED else "reject",
            "message": "what the rule says",
            "category": _CATEGORY_BY_CAUSE.get(event.cause, "other"),
            "code": reply.smtp_code,
            "status": reply.enhanced_status,
            "line": 12,
        },
        "bounced_at": iso_time(event.occurred_at),
    }

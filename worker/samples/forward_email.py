"""A make-believe Forward Email, with a webhook key of its own."""

from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.forward_email import CATEGORIES, SIGNATURE_HEADER
from worker.samples.posting import hex_hmac, iso_time, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import ServerReply, reply_for
from worker.samples.untimed_vendor import UntimedVendor

_NO_REASON = ServerReply(smtp_code=550, enhanced_status="5.0.0", text="not delivered")
_CATEGORY_BY_CAUSE: dict[Cause, str] = {
    Cause.MAILBOX_DOES_NOT_EXIST: "recipient",
    Cause.MAILBOX_DISABLED: "recipient",
    Cause.SENDER_REPUTATION: "blocklist",
    **{cause: category for category, (_, cause) in CATEGORIES.items() if category in {"spam", "virus", "policy"}},
}


class ForwardEmailSamples(UntimedVendor):
    """One request for each event; what is no failure, Forward Email does not tell, and it comes as one."""

    provider: ClassVar[str] = "forward_email"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def proof(self, body: bytes) -> dict[str, str]:
        """The signature over the body."""
        return {SIGNATURE_HEADER: hex_hmac(self.secret, body)}


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


SENDERS = (ForwardEmailSamples,)

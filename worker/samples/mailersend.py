"""A make-believe MailerSend, with a signing secret of its own; its webhooks are of version 1."""

from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.providers.vendors.mailersend import EVENTS, SIGNATURE_HEADER
from worker.samples.posting import hex_hmac, iso_time, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

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


class MailerSendSamples(UntimedVendor):
    """One request for each event."""

    provider: ClassVar[str] = "mailersend"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def proof(self, body: bytes) -> dict[str, str]:
        """The signature over the body."""
        return {SIGNATURE_HEADER: hex_hmac(self.secret, body)}


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


SENDERS = (MailerSendSamples,)

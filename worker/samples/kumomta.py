"""A make-believe KumoMTA whose log hook posts one record at a time, with a bearer token."""

from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.kumomta import CLASSES
from worker.samples.posting import bearer, iso_time, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

_TYPES: dict[Kind, str] = {
    Kind.ACCEPTED: "Reception",
    Kind.DELIVERED: "Delivery",
    Kind.DEFERRED: "TransientFailure",
    Kind.SOFT_BOUNCE: "Bounce",
    Kind.HARD_BOUNCE: "Bounce",
    Kind.BLOCKED: "Bounce",
    Kind.DROPPED: "AdminBounce",
    Kind.COMPLAINT: "Feedback",
}
_CLASS_OF = {meaning: name for name, meaning in reversed(CLASSES.items())}


class KumoMtaSamples(UntimedVendor):
    """One record a request, as the manual's script posts them."""

    provider: ClassVar[str] = "kumomta"
    shown = staticmethod(bearer)

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_record(event)


def sample_record(event: SampleEvent) -> dict[str, Any]:
    """The event as KumoMTA logs it."""
    reply = reply_for(event)
    digits = [int(digit) for digit in reply.enhanced_status.split(".")] if reply else []
    complains = event.kind is Kind.COMPLAINT
    return {
        "type": _TYPES.get(event.kind, "Rejection"),
        "id": made_up_id(event),
        "sender": "fbl@provider.example" if complains else "bounces@news.example.com",
        "recipient": "fbl@news.example.com" if complains else event.address,
        "queue": f"{event.tags[0] if event.tags else 'campaign'}:tenant@{event.address.rpartition('@')[2]}",
        "site": "pool->mx.example.org@smtp_client",
        "size": 2048,
        "response": {
            "code": reply.smtp_code if reply else 250,
            "enhanced_code": dict(zip(("class", "subject", "detail"), digits, strict=True)) if reply else None,
            "content": reply.text if reply else "OK",
            "command": "RCPT TO",
        },
        "peer_address": {"name": "mx.example.org.", "addr": "192.0.2.25"},
        "timestamp": int(event.occurred_at.timestamp()),
        "event_time": iso_time(event.occurred_at),
        "num_attempts": 1,
        "bounce_classification": _CLASS_OF.get((event.kind, event.cause), "Uncategorized"),
        "egress_pool": "pool",
        "egress_source": "ip-1",
        "feedback_report": _report(event) if complains else None,
        "meta": {"tenant": "tenant", **(event.metadata or {})},
        "headers": {"Message-ID": f"<{event.message_id}>"},
        "nodeid": "4d1f6a52-5f0a-4f3a-9b7e-0d6e0d6e0d6e",
        "reception_protocol": "ESMTP",
        "delivery_protocol": "ESMTP",
    }


def _report(event: SampleEvent) -> dict[str, Any]:
    return {
        "feedback_type": "fraud" if event.cause is Cause.FRAUD_REPORT else "abuse",
        "user_agent": "Agent/1",
        "version": "1",
        "original_mail_from": "bounces@news.example.com",
        "original_rcpto_to": ["<3fb1c0ffee@provider.example>"],
        "reported_domain": ["news.example.com"],
        "extensions": {},
        "supplemental_trace": {"recipient": event.address},
    }


SENDERS = (KumoMtaSamples,)

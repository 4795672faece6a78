"""A make-believe Halon with the post-delivery script of docs/providers/halon.md."""

from typing import Any, ClassVar

from schemas.vocabulary import Kind
from worker.samples.posting import bearer, made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

_ACTIONS: dict[Kind, str] = {
    Kind.DELIVERED: "DELIVER",
    Kind.DEFERRED: "QUEUE",
    Kind.SOFT_BOUNCE: "BOUNCE",
    Kind.HARD_BOUNCE: "BOUNCE",
    Kind.BLOCKED: "BOUNCE",
}


class HalonSamples(UntimedVendor):
    """One object a request."""

    provider: ClassVar[str] = "halon"
    shown = staticmethod(bearer)

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as the script reports it."""
    reply = reply_for(event)
    result = {
        "code": reply.smtp_code if reply else 250,
        "enhanced": [int(digit) for digit in (reply.enhanced_status if reply else "2.0.0").split(".")],
        "reason": [reply.text if reply else "Ok: queued"],
        "state": "RCPT",
    }
    return {
        "action": _ACTIONS.get(event.kind, "HOLD"),
        "recipient": event.address,
        "sender": "bounces@news.example.com",
        "transaction": event.message_id,
        "queue": made_up_id(event),
        "retry": 0,
        "expired": False,
        "tenantid": "tenant-1",
        "jobid": event.tags[0] if event.tags else "job-1",
        "attempt": {"result": result, "duration": 1.012},
        "time": event.occurred_at.timestamp(),
    }


SENDERS = (HalonSamples,)

"""A make-believe Iterable: it signs nothing, and shows the token that was entered."""

from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.iterable import RECIPIENT_STATES
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "emailSend",
    Kind.DELIVERED: "emailSend",  # Iterable has no word for these
    Kind.DEFERRED: "emailSend",
    Kind.SOFT_BOUNCE: "emailBounce",
    Kind.HARD_BOUNCE: "emailBounce",
    Kind.BLOCKED: "emailBounce",
    Kind.DROPPED: "emailSendSkip",
    Kind.OPENED: "emailOpen",
    Kind.CLICKED: "emailClick",
    Kind.UNSUBSCRIBE: "emailUnSubscribe",
    Kind.RESUBSCRIBE: "emailSubscribe",
    Kind.COMPLAINT: "emailComplaint",
    Kind.OTHER: "emailSubscribe",
}
_STATE_BY_CAUSE: dict[Cause, str] = {cause: state for state, (_, cause) in reversed(RECIPIENT_STATES.items())}


class IterableSamples(UntimedVendor):
    """One request for each event."""

    provider: ClassVar[str] = "iterable"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def proof(self, body: bytes) -> dict[str, str]:
        """The token."""
        del body
        return {"authorization": self.secret}


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Iterable writes it."""
    name = _NAMES[event.kind]
    data: dict[str, Any] = {
        "createdAt": f"{event.occurred_at:%Y-%m-%d %H:%M:%S} +00:00",
        "campaignId": 11,
        "templateId": 22,
        "messageId": event.message_id,
        "emailSubject": "Hello",
    }
    reply = reply_for(event)
    if name == "emailBounce":
        data["recipientState"] = _STATE_BY_CAUSE.get(event.cause, "SoftBounceUndetermined")
        if reply is not None:
            data |= {"status": reply.enhanced_status, "bounceMessage": f"smtp; {reply.line}"}
    if name == "emailClick":
        data["url"] = "https://example.com/"
    if name == "emailUnSubscribe" and event.scope is None:
        data["unsubSource"] = "EmailLink"
    return {"email": event.address, "eventName": name, "dataFields": data}


SENDERS = (IterableSamples,)

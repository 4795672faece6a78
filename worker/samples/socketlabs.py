"""A make-believe SocketLabs: it signs nothing, and shows its secret key in the body."""

from typing import Any, ClassVar, Self

from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.socketlabs import SERVERS
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import iso_time
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

_TYPES: dict[Kind, str] = {
    Kind.ACCEPTED: "Queued",
    Kind.DELIVERED: "Delivered",
    Kind.DEFERRED: "Deferred",
    Kind.SOFT_BOUNCE: "Failed",
    Kind.HARD_BOUNCE: "Failed",
    Kind.BLOCKED: "Failed",
    Kind.DROPPED: "Failed",
    Kind.OPENED: "Tracking",
    Kind.CLICKED: "Tracking",
    Kind.UNSUBSCRIBE: "Tracking",
    Kind.COMPLAINT: "Complaint",
    Kind.RESUBSCRIBE: "Failed",  # SocketLabs has no word for it
    Kind.OTHER: "Failed",
}
_TRACKING: dict[Kind, str] = {Kind.OPENED: "Open", Kind.CLICKED: "Click", Kind.UNSUBSCRIBE: "Unsubscribe"}
_CODES: dict[Cause, int] = {
    Cause.MAILBOX_DOES_NOT_EXIST: 2001,
    Cause.DOMAIN_DOES_NOT_EXIST: 2002,
    Cause.INVALID_ADDRESS: 2003,
    Cause.MAILBOX_FULL: 3001,
    Cause.MAILBOX_DISABLED: 3002,
    Cause.SERVER_UNAVAILABLE: 4001,
    Cause.CONNECTION_FAILED: 4003,
    Cause.EXPIRED: 4004,
    Cause.SENDER_REPUTATION: 1002,
    Cause.CONTENT: 1004,
    Cause.RATE_LIMITED: 1006,
    Cause.VIRUS: 1007,
    Cause.CHALLENGE_RESPONSE: 1011,
    Cause.AUTO_REPLY: 5001,
}
_INFORMATIONAL, _UNKNOWN = 5999, 9999


class SocketLabsSamples(UntimedVendor):
    """One request for each event."""

    provider: ClassVar[str] = "socketlabs"
    server: int = 12345

    def speaking_as(self, source: Source) -> Self:
        """A sender with the source's key, and of a server that the source takes."""
        speaking = super().speaking_as(source)
        if servers := SERVERS.of(source):
            speaking.server = min(servers)
        return speaking

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def posted(self, content: Any) -> WebhookRequest:
        """The POST of these values with the key among them."""
        return super().posted({**content, "ServerId": self.server, "SubaccountId": 0, "SecretKey": self.secret})


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as SocketLabs writes it, without its key."""
    values: dict[str, Any] = {
        "Type": _TYPES[event.kind],
        "DateTime": iso_time(event.occurred_at).replace("Z", "0Z"),  # seven digits of a second
        "Address": event.address,
        "FromAddress": "news@example.com",
        "MailingId": "spring",
        "MessageId": event.message_id,
        "Data": {
            "Meta": [{"Key": key, "Value": str(value)} for key, value in (event.metadata or {}).items()],
            "Tags": list(event.tags),
        },
    }
    if event.kind in _TRACKING:
        return {**values, "TrackingType": _TRACKING[event.kind], "Url": "https://example.com/"}
    reply = reply_for(event)
    if event.kind is Kind.DEFERRED:
        return {**values, "Reason": reply.line if reply else "", "DeferralCode": reply.enhanced_status if reply else ""}
    if values["Type"] != "Failed":
        return values
    suppressed = event.kind is Kind.DROPPED
    other = event.kind in {Kind.OTHER, Kind.RESUBSCRIBE}
    return {
        **values,
        "FailureType": "Suppressed" if suppressed else ("Permanent" if event.kind is Kind.HARD_BOUNCE else "Temporary"),
        "FailureCode": _CODES.get(event.cause, _INFORMATIONAL if other else _UNKNOWN),
        "BounceStatus": reply.enhanced_status if reply else "",
        "DiagnosticCode": reply.line if reply else "",
        "Reason": "what SocketLabs says of every failure with this code",
    }


SENDERS = (SocketLabsSamples,)

"""Amazon EventBridge: the other envelope that SES feedback travels in, posted by an API destination.

Sources: docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html (detail types) and
docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html. Nothing in it is signed: the connection of
the API destination shows an API key, user and password, or a token. `detail` holds the notification of a configuration
set, as seen in real events; the documentation shows none.
"""

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import WORD_LIMIT, fit_text
from worker.providers.payload.vendor_time import from_iso

# The names of EventBridge for the events of a message, by the names of SNS.
DETAIL_TYPES: dict[str, str] = {
    "Bounce": "Email Bounced",
    "Complaint": "Email Complaint Received",
    "Delivery": "Email Delivered",
    "Reject": "Email Rejected",
    "Send": "Email Sent",
    "Open": "Email Opened",
    "Click": "Email Clicked",
    "RenderingFailure": "Email Rendering Failed",
    "DeliveryDelay": "Email Delivery Delayed",
    "Subscription": "Email Subscribed",
}
# Events about the account instead of a message.
ACCOUNT_DETAIL_TYPES = frozenset(
    {
        "Advisor Recommendation Status Open",
        "Advisor Recommendation Status Resolved",
        "Sending Status Enabled",
        "Sending Status Disabled",
    }
)


class EventBridgeEvent(Struct, frozen=True, kw_only=True, gc=False):
    """The envelope; `detail` stays bytes."""

    detail_type: str = msgspec.field(name="detail-type")
    detail: msgspec.Raw
    id: str | None = None
    time: str | None = None


_decode = msgspec.json.Decoder(EventBridgeEvent).decode
_decode_type = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_event_bridge(body: bytes) -> EventBridgeEvent | None:
    """The envelope of an event; None if the body is something else."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def tells_of_a_message(event: EventBridgeEvent) -> bool:
    """True if `detail` is a notification of SES."""
    try:
        return "eventType" in _decode_type(event.detail)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def account_event(event: EventBridgeEvent, raw: bytes, envelope: Envelope) -> FeedbackEvent:
    """An event without an address, for an event about the account, or for an unknown one."""
    return new_event(
        envelope,
        raw,
        kind=Kind.OTHER,
        key=("event_bridge", event.id or raw, event.detail_type),
        address=None,
        vendor_event=fit_text(event.detail_type, WORD_LIMIT),
        vendor_time=from_iso(event.time),
        recognised=event.detail_type in ACCOUNT_DETAIL_TYPES,
    )

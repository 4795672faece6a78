"""Customer.io: reporting webhooks, one JSON object an event, signed by an HMAC over a version, the time and the body.

Sources: docs.customer.io/api/webhooks and docs.customer.io/integrations/data-out/connections/webhooks.
Whether a repeated webhook has its first time or a new one is not documented: signatures are accepted as long as
Customer.io tries, seven days, and a day more; the event's id makes a repetition harmless. The fields of the
older format, with one `event_type`, are as public programs read them. Events of other channels (SMS, push, in-app …)
are kept by their names alone: their recipients are no e-mail addresses.
"""

from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.hmac_signature import HmacSignature
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop, settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.customer.io/api/webhooks (securely verify requests)

SIGNATURE_HEADER = "x-cio-signature"
TIMESTAMP_HEADER = "x-cio-timestamp"
MAX_AGE_SECONDS = 8 * 24 * 3600

# -- What its events are, and why ----------------------------------------------------------------------------
# https://docs.customer.io/api/webhooks

# By object and metric. Failures with words are what these say.
EVENTS: dict[str, tuple[Kind, Cause]] = {
    "email/drafted": (Kind.OTHER, Cause.NONE),
    "email/attempted": (Kind.OTHER, Cause.NONE),  # could not be handed over yet; it is tried again
    "email/sent": (Kind.ACCEPTED, Cause.NONE),
    "email/delivered": (Kind.DELIVERED, Cause.NONE),
    "email/deferred": (Kind.DEFERRED, Cause.UNDETERMINED),
    "email/bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # hard and soft are not distinguished
    "email/dropped": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "email/failed": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),  # could not be handed over for good
    "email/undeliverable": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),  # a limit of ours, or nobody to send to
    "email/spammed": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "email/unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "email/opened": (Kind.OPENED, Cause.NONE),
    "email/clicked": (Kind.CLICKED, Cause.NONE),
    "email/converted": (Kind.OTHER, Cause.NONE),
    "customer/unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    # An attribute that anybody may have set, even an import: too weak a sign to take an unsubscribe back.
    "customer/subscribed": (Kind.OTHER, Cause.NONE),
    "customer/cio_subscription_preferences_changed": (Kind.OTHER, Cause.NONE),
}
OTHER_OBJECTS = ("push", "sms", "in_app", "slack", "webhook", "whatsapp")
_FAILURES = frozenset({"email/deferred", "email/bounced"})

# -- How it is read ------------------------------------------------------------------------------------------

_WHAT = "Customer.io webhook"


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, _WHAT)
    return [_read_event(values, envelope)]


def _read_event(values: dict[str, Any], envelope: Envelope) -> FeedbackEvent:
    object_type, metric = _names(values)
    name = f"{object_type}/{metric}"
    other_channel = object_type in OTHER_OBJECTS
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    data = json_payload.child(values, "data")
    address = None if other_channel else _address(data)
    if address is None and kind is not Kind.OTHER and object_type == "email":
        raise UnreadablePayload(f"{_WHAT}: an {name} names nobody in data.recipient or data.identifiers.email")
    diagnostic = json_payload.text(data, "failure_message") or json_payload.text(data, "reason")
    classification = None
    if name in _FAILURES:
        classification = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=name == "email/bounced",
            recipient=address,
        )
        kind, cause = settle(kind, cause, classification)
    elif kind is Kind.DROPPED:
        cause = cause_of_drop(cause, diagnostic, recipient=address)
        kind = kind_of_drop(cause)
    event_id = json_payload.text(values, "event_id")
    written = name if "metric" in values else json_payload.text(values, "event_type", json_payload.WORD_LIMIT)
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(event_id or envelope.body, written),
        former_key=None if written == name else (event_id or envelope.body, name),
        address=address,
        vendor_event=name,
        recognised=other_channel or name in EVENTS,
        vendor_time=from_unix_seconds(values.get("timestamp")),
        failure=classification,
        message_id=json_payload.text(data, "delivery_id", json_payload.MESSAGE_ID_LIMIT)
        or json_payload.text(data, "email_id", json_payload.MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        campaign=_campaign(data),
    )


_LONGEST_ID = 100  # characters


def _campaign(data: dict[str, Any]) -> str | None:
    """The campaign. Campaigns, broadcasts and newsletters each count from 1; the last two are named with their sort."""
    for kind in ("campaign", "broadcast", "newsletter"):
        if number := json_payload.text(data, f"{kind}_id", _LONGEST_ID):
            return number if kind == "campaign" else f"{kind}:{number}"
    return None


def _names(values: dict[str, Any]) -> tuple[str, str]:
    """Object and metric; the older format has both in one word: `email_bounced`."""
    object_type, metric = (json_payload.text(values, key, json_payload.WORD_LIMIT) for key in ("object_type", "metric"))
    if object_type is not None and metric is not None:
        return object_type, metric
    word = json_payload.text(values, "event_type", json_payload.WORD_LIMIT)
    if word is None:
        raise UnreadablePayload(f"{_WHAT}: it names no event in object_type and metric")
    of_two_words = next((name for name in OTHER_OBJECTS if word.startswith(f"{name}_")), "")
    object_type = of_two_words or word.partition("_")[0]
    return object_type, word[len(object_type) + 1 :]


def _address(data: dict[str, Any]) -> str | None:
    return (
        json_payload.text(data, "recipient")
        or json_payload.text(json_payload.child(data, "identifiers"), "email")
        or json_payload.text(data, "email_address")
    )


PROVIDER = Provider(
    name="customerio",
    title="Customer.io",
    documentation="https://docs.customer.io/api/webhooks",
    proof="HMAC-SHA256 of time and body",
    secret_help="the webhook signing key: Integrations > Reporting Webhooks > the webhook",
    schemes={
        "": HmacSignature(
            header=SIGNATURE_HEADER,
            signed="v0:{timestamp}:{body}",
            timestamp_header=TIMESTAMP_HEADER,
            max_age_seconds=MAX_AGE_SECONDS,
        )
    },
    # 503 is not among the answers after which Customer.io holds all events back for an hour, as 500 and 502 are.
    account_paths={},  # a webhook is of one workspace, and does not name it
    campaign_fields=(
        "data.campaign_id",
        "data.broadcast_id",
        "data.newsletter_id",
    ),
    vocabulary={
        **EVENTS,
        **{f"{name}/*": (Kind.OTHER, Cause.NONE) for name in OTHER_OBJECTS},
    },
    parse=parse,
)

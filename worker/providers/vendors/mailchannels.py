"""MailChannels Email API: an array of up to 1,000 events a webhook, signed with Ed25519 over a digest of the body.

Sources: docs.mailchannels.net/email-api/advanced/delivery-events, and the client libraries of the vendor and of
github.com/Yizack/mailchannels for the signature. When a failed batch is sent again by itself is not documented; one can
be sent again by hand. Nor is it documented whether a soft bounce was the last try: it counts as final. The public key
does not come with the events: it is configured, see the page.
"""

from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.http_message_signature import HttpMessageSignature
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop, settle
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.mailchannels.net/email-api/advanced/delivery-events

_WHAT = "MailChannels webhook"

# -- What its events are, and why ----------------------------------------------------------------------------
# https://docs.mailchannels.net/email-api/advanced/delivery-events

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "processed": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    # the server's words decide: a hard bounce may be a refusal because of the sender
    "hard-bounced": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "soft-bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # older: the one word for both
    "dropped": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "complained": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    "test": (Kind.OTHER, Cause.TEST),  # by POST /tx/v1/webhook/validate
}
_BOUNCES = frozenset({"hard-bounced", "soft-bounced", "bounced"})

# -- How it is read ------------------------------------------------------------------------------------------

_MOST_RECIPIENTS = 1_000  # of one event; each gets a copy of it

_BATCH = BatchBody(_WHAT)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of the array, one for each recipient; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_element)


def _read_element(values: dict[str, Any], raw: bytes, envelope: Envelope) -> list[FeedbackEvent]:
    name = json_payload.text(values, "event", json_payload.WORD_LIMIT)
    if name is None:
        raise UnreadablePayload(f"{_WHAT}: an element names no event")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    reason = json_payload.text(values, "reason")
    classification = None
    if name in _BOUNCES:
        classification = classify(
            smtp_code=json_payload.integer(values, "status"),
            enhanced_status=None,
            diagnostic=reason,
            permanent=name == "hard-bounced",
        )
        kind, cause = settle(kind, cause, classification)
    elif kind is Kind.DROPPED:
        cause = cause_of_drop(cause, reason)
        kind = kind_of_drop(cause)
    stamp = values.get("timestamp")
    request_id = json_payload.text(values, "request_id")
    message_id = json_payload.text(values, "smtp_id", json_payload.MESSAGE_ID_LIMIT)
    time = from_unix_seconds(stamp)
    time_part = raw if time is None else str(stamp)
    url = json_payload.text(values, "url")
    return [
        new_event(
            envelope,
            raw,
            kind=kind,
            cause=cause,
            key=(request_id, message_id, recipient, name, time_part, url),
            address=recipient,
            vendor_event=name,
            recognised=name in EVENTS,
            vendor_time=time,
            failure=classification,
            message_id=message_id,
            diagnostic=reason,
            tags=json_payload.tags(values, "campaign_id"),
            campaign=json_payload.text(values, "campaign_id"),
        )
        for recipient in _recipients(values)
    ]


def _recipients(values: dict[str, Any]) -> list[str | None]:
    """Whom it is about: `email` is the sender. Some events, the test among them, may name nobody."""
    recipients = values.get("recipients")
    if type(recipients) is list and len(recipients) == 1 and type(recipients[0]) is str and recipients[0]:
        return recipients  # as nearly all have it
    if isinstance(recipients, list) and len(recipients) > _MOST_RECIPIENTS:
        raise UnreadablePayload(f"{_WHAT}: an element names more than {_MOST_RECIPIENTS} recipients")
    texts = [text for text in recipients if isinstance(text, str) and text] if isinstance(recipients, list) else []
    return [*texts] or [None]


PROVIDER = Provider(
    name="mailchannels",
    title="MailChannels",
    documentation="https://docs.mailchannels.net/email-api/advanced/delivery-events",
    proof="Ed25519 over a digest of the body (RFC 9421)",
    secret_help=(
        "MailChannels' public key, in base64 or PEM: GET https://api.mailchannels.net/tx/v1/webhook/public-key?id=…"
    ),
    batch=_BATCH,
    batches=True,
    schemes={"": HttpMessageSignature()},
    account_paths={"subaccount": "customer_handle", "sending_domain": "email"},
    campaign_fields=("campaign_id",),
    vocabulary=EVENTS,
    parse=parse,
)

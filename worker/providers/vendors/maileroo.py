"""Maileroo: one JSON object an event, signed by an HMAC of the body; hard and soft bounces have no field.

Sources: maileroo.com/docs/api-reference/emails/webhooks, maileroo.com/help/use-webhooks and
maileroo.com/features/email-webhooks. The page asks to "verify the signature" with the shared secret and shows no rule;
that it is the hexadecimal HMAC-SHA256 of the body, and that a request without the answer 200 is repeated some eight
times over half a day, is how public programs of several senders read it.
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
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://maileroo.com/help/use-webhooks

SIGNATURE_HEADER = "x-maileroo-signature"

# -- What its events are, and why ----------------------------------------------------------------------------
# https://maileroo.com/help/use-webhooks

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "accepted": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "deferred": (Kind.DEFERRED, Cause.UNDETERMINED),
    "failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # final; the server's words say which bounce it was
    "rejected": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),  # a former bounce, or a malformed mail
    "opened": (Kind.OPENED, Cause.NONE),  # names nobody, and so does the next
    "clicked": (Kind.CLICKED, Cause.NONE),
    "complained": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
}
_FAILURES = frozenset({"deferred", "failed"})
_NAMELESS = frozenset({"opened", "clicked"})

# -- How it is read ------------------------------------------------------------------------------------------

_WHAT = "Maileroo webhook"
_MOST_RECIPIENTS = 1_000  # of one event; each gets a copy of it

_BATCH = BatchBody(_WHAT)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The event of the body for each of its recipients; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_element)


def _read_element(values: dict[str, Any], raw: bytes, envelope: Envelope) -> list[FeedbackEvent]:
    name = json_payload.text(values, "event_type", json_payload.WORD_LIMIT)
    if name is None:
        raise UnreadablePayload(f"{_WHAT}: it names no event in event_type")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    data = json_payload.child(values, "event_data")
    recipients = _recipients(data)
    if not recipients and name in EVENTS and name not in _NAMELESS:
        raise UnreadablePayload(f"{_WHAT}: a {name} names nobody in event_data.to")
    diagnostic = json_payload.text(data, "reason") or json_payload.text(data, "reject_reason")
    classification = None
    if name in _FAILURES:
        classification = classify(
            smtp_code=None, enhanced_status=None, diagnostic=diagnostic, permanent=name == "failed"
        )
        kind, cause = settle(kind, cause, classification)
    elif kind is Kind.DROPPED:
        cause = cause_of_drop(cause, diagnostic)
        kind = kind_of_drop(cause)
    event_id = json_payload.text(values, "event_id")
    tags = values.get("tags")
    return [
        new_event(
            envelope,
            raw,
            kind=kind,
            cause=cause,
            key=(event_id or raw, name, recipient),
            address=recipient,
            vendor_event=name,
            recognised=name in EVENTS,
            vendor_time=from_unix_seconds(values.get("event_time")) or from_iso(values.get("inserted_at")),
            failure=classification,
            message_id=json_payload.text(values, "message_id", json_payload.MESSAGE_ID_LIMIT)
            or json_payload.text(values, "message_reference_id", json_payload.MESSAGE_ID_LIMIT),
            diagnostic=diagnostic,
            tags=json_payload.tags(values, "tags"),
            metadata=json_payload.metadata(tags),  # an object, where there are any
        )
        for recipient in recipients or (None,)
    ]


def _recipients(data: dict[str, Any]) -> list[str]:
    """One text, or an array of them on a rejection."""
    to = data.get("to")
    entries = to if isinstance(to, list) else [to]
    if len(entries) > _MOST_RECIPIENTS:
        raise UnreadablePayload(f"{_WHAT}: an event names more than {_MOST_RECIPIENTS} people")
    return [text for text in entries if isinstance(text, str) and text]


PROVIDER = Provider(
    name="maileroo",
    title="Maileroo",
    documentation="https://maileroo.com/docs/api-reference/emails/webhooks",
    proof="HMAC-SHA256 of the body",
    secret_help="the shared secret of the webhook: domain > Events",
    schemes={"": HmacSignature(header=SIGNATURE_HEADER)},
    batch=_BATCH,
    account_paths={"subaccount": "domain_id", "sending_domain": "event_data.from"},
    vocabulary=EVENTS,
    parse=parse,
)

"""Azure Communication Services, e-mail: reports that Event Grid posts, in its own schema or as CloudEvents 1.0.

https://learn.microsoft.com/azure/event-grid/communication-services-email-events

Event Grid tests a URL before it sends there: in its own schema with a POST whose code must be sent back, with
CloudEvents with an OPTIONS that asks for permission. There is no event for complaints, unsubscribes and deferred mail.
Microsoft Entra's bearer tokens are not verified: the keys that sign them change, and would have to be fetched.
"""

import re
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.authentication.configured_header import ConfiguredHeader
from worker.providers.authentication.credentials import QueryToken
from worker.providers.classification.failure import HARD_CAUSES, classify
from worker.providers.classification.vendor_verdict import kind_of_drop
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Accepted, Answered, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://learn.microsoft.com/azure/event-grid/security-authentication (secrets in the URL; nothing is signed)
# https://learn.microsoft.com/azure/event-grid/delivery-properties (static headers)
# https://learn.microsoft.com/azure/event-grid/webhook-event-delivery and
# https://learn.microsoft.com/azure/event-grid/end-point-validation-cloud-events-schema (the two handshakes)

EVENT_TYPE_HEADER = "aeg-event-type"
SUBSCRIPTION_VALIDATION = "SubscriptionValidation"
VALIDATION_EVENT = "Microsoft.EventGrid.SubscriptionValidationEvent"


class _Validation(Struct, gc=False):
    code: str | None = msgspec.field(name="validationCode", default=None)


class _Handshake(Struct, gc=False):
    type: str | None = msgspec.field(name="eventType", default=None)
    data: _Validation | None = None


class _Handshakes(Struct, array_like=True, gc=False):
    only: _Handshake


_decode_handshake = msgspec.json.Decoder(_Handshake).decode
_decode_handshakes = msgspec.json.Decoder(_Handshakes).decode

_ORIGIN = re.compile(r"[A-Za-z0-9.:/_*-]{1,253}")

# -- What its events are, and why ----------------------------------------------------------------------------
# https://learn.microsoft.com/azure/event-grid/communication-services-email-events

_COMPANY = "Microsoft.Communication."
DELIVERY_REPORT = "EmailDeliveryReportReceived"
ENGAGEMENT_REPORT = "EmailEngagementTrackingReportReceived"
_DELIVERY_REPORT_WRITTEN = _COMPANY + DELIVERY_REPORT

# The meaning of each, unless the server's words in `statusMessage` say something else.
DELIVERY_STATUSES: dict[str, tuple[Kind, Cause]] = {
    "Delivered": (Kind.DELIVERED, Cause.NONE),
    "Expanded": (Kind.OTHER, Cause.NONE),  # a distribution group: its members get reports of their own
    "Suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "Bounced": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "Failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "Quarantined": (Kind.BLOCKED, Cause.CONTENT),
    "FilteredSpam": (Kind.BLOCKED, Cause.CONTENT),
}
ENGAGEMENTS: dict[str, tuple[Kind, Cause]] = {
    "view": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
}
_FAILURES = frozenset({"Bounced", "Failed"})
# Two lists are behind it: the one of all customers, to which bounces of any sort lead, ours or not, and the customer's
# own. Only words that name a dead address make it a new event.
# https://learn.microsoft.com/azure/communication-services/concepts/email/sender-reputation-managed-suppression-list
SUPPRESSED = "Suppressed"
_TOLD_WHY = frozenset({*_FAILURES, "Quarantined", "FilteredSpam", SUPPRESSED})
_NOT_FOR_US = frozenset({VALIDATION_EVENT, "Microsoft.EventGrid.SubscriptionDeletedEvent"})

# -- How it is read ------------------------------------------------------------------------------------------
# Times have seven fraction digits, and both spellings of their fields are published.

_BATCH = BatchBody("Event Grid webhook")


def welcome(request: WebhookRequest) -> Verdict:
    """Answers Event Grid's own handshake with its code; accepts everything else."""
    event_type = request.headers.get(EVENT_TYPE_HEADER, "")
    if event_type != SUBSCRIPTION_VALIDATION and (event_type or VALIDATION_EVENT.encode() not in request.body):
        return Accepted()
    code = _validation_code(request.body)
    if code is None and not event_type:
        return Accepted()  # reports that only quote the handshake's name
    if code is None:
        return Refused(
            reason="unreadable_handshake",
            detail="Event Grid's handshake holds no validationCode: create the event subscription again",
            http_status=400,
        )
    return Answered(
        reason="subscription_validated",
        detail="Event Grid sends here from now on",
        body=msgspec.json.encode({"validationResponse": code}),
        content_type="application/json",
    )


def answer_probe(request: WebhookRequest) -> Answered | Refused | None:
    """Gives the permission that CloudEvents' handshake asks for, to everybody, because each POST must prove itself."""
    origin = request.headers.get("webhook-request-origin", "")
    if request.method != "OPTIONS" or not _ORIGIN.fullmatch(origin):
        return None
    return Answered(
        reason="subscription_validated",
        detail=f"{origin} may send CloudEvents here",
        headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"},
    )


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of the array, or the one of a bare object; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_event)


def _validation_code(body: bytes) -> str | None:
    """The code of the handshake, which is a single object, or an array of one."""
    try:
        handshake: _Handshake = _decode_handshake(body) if body.lstrip()[:1] == b"{" else _decode_handshakes(body).only
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return handshake.data.code if handshake.type == VALIDATION_EVENT and handshake.data else None


def _read_event(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    event_type = values.get("eventType") or values.get("type")
    if not isinstance(event_type, str) or not event_type:
        return None
    data = json_payload.child(values, "data")
    if event_type == _DELIVERY_REPORT_WRITTEN:
        return _delivery_report(values, data, raw, envelope)
    name = event_type.removeprefix(_COMPANY)
    recipient = data.get("recipient")
    word = json_payload.text(data, "engagementType", json_payload.WORD_LIMIT) if name == ENGAGEMENT_REPORT else None
    meaning = ENGAGEMENTS.get(word) if word is not None and recipient else None
    return new_event(
        envelope,
        raw,
        kind=meaning[0] if meaning is not None else Kind.OTHER,
        key=_key(values, raw),
        address=recipient if isinstance(recipient, str) else None,
        vendor_event=name if word is None else f"{name}/{word}",
        # An engagement without a recipient is documented, and changes nothing.
        recognised=event_type in _NOT_FOR_US or word in ENGAGEMENTS,
        vendor_time=_time(values, data, "userActionTimeStamp", "userActionTimestamp"),
        message_id=_message_id(data),
    )


def _delivery_report(
    values: dict[str, Any], data: dict[str, Any], raw: bytes, envelope: Envelope
) -> FeedbackEvent | None:
    recipient, status = data.get("recipient"), data.get("status")
    if not isinstance(recipient, str) or not isinstance(status, str):
        return None
    kind, cause = DELIVERY_STATUSES.get(status, (Kind.OTHER, Cause.NONE))
    diagnostic = json_payload.text(json_payload.child(data, "deliveryStatusDetails"), "statusMessage")
    failure = None
    if status in _TOLD_WHY:
        failure = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=True if status == "Bounced" else None,
            recipient=recipient,
            sender=json_payload.text(data, "sender"),
            remote_host=json_payload.text(
                json_payload.child(data, "deliveryStatusDetails"), "recipientMailServerHostName"
            ),
        )
        is_definite = status in _FAILURES or CAUSE_BLAME[failure.cause] is Blame.SENDER
        if status == SUPPRESSED:
            kind, cause = kind_of_drop(failure.cause), failure.cause if failure.cause in HARD_CAUSES else cause
        elif is_definite and failure.cause is not Cause.UNDETERMINED:
            kind, cause = failure.kind, failure.cause
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=_key(values, raw),
        address=recipient,
        vendor_event=f"{DELIVERY_REPORT}/{status}",
        recognised=status in DELIVERY_STATUSES,
        vendor_time=_time(values, data, "deliveryAttemptTimeStamp", "deliveryAttemptTimestamp"),
        failure=failure,
        message_id=_message_id(data),
        diagnostic=diagnostic,
    )


def _key(values: dict[str, Any], raw: bytes) -> tuple[object]:
    """Event Grid's own id: one event has one recipient, and keeps its id when it is sent again."""
    return (values.get("id") or raw,)


def _time(values: dict[str, Any], data: dict[str, Any], spelling: str, other_spelling: str) -> datetime | None:
    stamp = data.get(spelling) or data.get(other_spelling) or values.get("eventTime") or values.get("time")
    return from_iso(stamp)


def _message_id(data: dict[str, Any]) -> str | None:
    return json_payload.text(data, "messageId", json_payload.MESSAGE_ID_LIMIT) or json_payload.text(
        data, "internetMessageId", json_payload.MESSAGE_ID_LIMIT
    )


PROVIDER = Provider(
    name="azure_communication_services",
    title="Azure Communication Services",
    documentation="https://learn.microsoft.com/azure/event-grid/communication-services-email-events",
    proof="a token in the URL or in a header",
    secret_help=(
        "a long random text of your own: append ?token=… with it to the endpoint's URL in the event subscription, or, "
        'with authentication = "header", enter it there as a delivery property'
    ),
    schemes={"": QueryToken(), "header": ConfiguredHeader()},
    batch=_BATCH,
    batches=True,
    account_paths={"subaccount": "topic || source", "sending_domain": "data.sender"},
    vocabulary={
        **{f"{DELIVERY_REPORT}/{status}": meaning for status, meaning in DELIVERY_STATUSES.items()},
        **{f"{ENGAGEMENT_REPORT}/{engagement}": meaning for engagement, meaning in ENGAGEMENTS.items()},
        **dict.fromkeys(sorted(_NOT_FOR_US), (Kind.OTHER, Cause.NONE)),
    },
    welcome=welcome,
    answer_probe=answer_probe,
    parse=parse,
)

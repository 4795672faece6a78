"""Mailtrap's sending webhooks: up to 500 events a request, as one JSON object or one object a line, signed by HMAC.

https://docs.mailtrap.io/email-api-smtp/advanced/webhooks. JSON Lines come as application/jsonl; the body shows it as
well, and decides. The console's "Run Test" posts a dummy payload, which is not shown: what has the id of the events in
the documentation counts for nothing. One reason of a `reject` is shown; the others are recognised by words in them. The
meanings of the categories of bounces are ours: Mailtrap only describes them.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.credentials import BasicCredentials, QueryToken
from worker.providers.authentication.hmac_signature import HmacSignature
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop, settle
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, text
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.mailtrap.io/email-api-smtp/advanced/webhooks#security

SIGNATURE_HEADER = "mailtrap-signature"
SCHEMES: dict[str, Scheme] = {
    "": HmacSignature(header=SIGNATURE_HEADER),
    "basic": BasicCredentials(),
    "token": QueryToken(),
}

# -- What its events are -------------------------------------------------------------------------------------
# https://docs.mailtrap.io/email-api-smtp/advanced/webhooks#events. Some are called otherwise where one subscribes.

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "delivery": (Kind.DELIVERED, Cause.NONE),
    "soft bounce": (Kind.DEFERRED, Cause.UNDETERMINED),  # Mailtrap tries again; a delivery or a bounce follows
    "bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # without its category; otherwise see below
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    "suspension": (Kind.OTHER, Cause.SENDER_CONFIGURATION),  # our account or domain: the message is held
    "reject": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),  # unless its reason is the suppression list
}
EVENTS["soft_bounce"] = EVENTS["soft bounce"]
EVENTS["spam_complaint"] = EVENTS["spam"]
# "Recipient in suppression list. Reason: unsubscription": words in what stands after "suppress", the first that fits.
SUPPRESSIONS: dict[str, Cause] = {
    "unsubscri": Cause.UNSUBSCRIBED_AT_PROVIDER,
    "spam": Cause.COMPLAINED_AT_PROVIDER,
    "complain": Cause.COMPLAINED_AT_PROVIDER,
    "suppressed": Cause.SUPPRESSED_BY_PROVIDER,  # none of these: an older bounce, or a person's entry
}
AUDIT_PREFIX = "activity_log."  # who changed what in the account: nobody's feedback

# -- Why it happened -----------------------------------------------------------------------------------------
# https://docs.mailtrap.io/email-api-smtp/analytics/bounce-categorization

CATEGORIES: dict[str, tuple[Kind, Cause]] = {
    "badrecipient": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    # Mailtrap puts these two on its own list as well. The mailbox may be there again tomorrow.
    "overquota": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "timeout": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "spam": (Kind.BLOCKED, Cause.CONTENT),  # a filter's word, not a reader's
    "spam_gmail": (Kind.BLOCKED, Cause.CONTENT),
    "content": (Kind.BLOCKED, Cause.CONTENT),
    "block": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "badsender": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "relayfail": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "serverpolicy": (Kind.BLOCKED, Cause.POLICY),
    "verifyfail": (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
    "dnsFail": (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
    "greylisting": (Kind.SOFT_BOUNCE, Cause.GREYLISTED),
    "transientfail": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    "serverfail": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    "generalfail": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "other": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
}
_FAILURES = frozenset({Kind.DEFERRED, Kind.SOFT_BOUNCE})

# -- How it is read ------------------------------------------------------------------------------------------

# The `event_id` of nearly all events in the documentation.
SAMPLE_ID = "bede7236-2284-43d6-a953-1fdcafd0fdbc"

_BATCH = BatchBody("Mailtrap webhook", inside="events", lines=True)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of the batch; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_event)


def _read_event(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    name = values.get("event")
    if not isinstance(name, str) or not name:
        return None
    reading = _PLAIN.get(name) or _read_failure(name, values)
    address, event_id = values.get("email"), values.get("event_id")
    kind, cause = (reading.kind, reading.cause) if event_id != SAMPLE_ID else (Kind.OTHER, Cause.TEST)
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(event_id,) if isinstance(event_id, str) and event_id else (raw,),
        address=address if isinstance(address, str) else None,
        vendor_event=reading.vendor_event,
        recognised=reading.recognised,
        vendor_time=from_unix_seconds(values.get("timestamp")),
        failure=reading.failure,
        message_id=text(values, "message_id", MESSAGE_ID_LIMIT),
        diagnostic=reading.diagnostic,
        tags=json_payload.tags(values, "category") if "category" in values else (),
        metadata=json_payload.metadata(values["custom_variables"]) if "custom_variables" in values else None,
    )


class _Reading(Struct, frozen=True, kw_only=True, gc=False):
    """What the event means."""

    kind: Kind
    cause: Cause
    vendor_event: str
    recognised: bool = True
    diagnostic: str | None = None
    failure: Classification | None = None


# Events that need nothing but their name, which most are.
_PLAIN: dict[str, _Reading] = {
    name: _Reading(kind=kind, cause=cause, vendor_event=name)
    for name, (kind, cause) in EVENTS.items()
    if kind not in {Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.DROPPED, Kind.OTHER}
}


def _read_failure(name: str, values: Mapping[str, Any]) -> _Reading:
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    recognised = name in EVENTS or name.startswith(AUDIT_PREFIX)
    vendor_event, failure = name, None
    diagnostic = text(values, "response") or text(values, "reason")
    if kind in _FAILURES:
        category = text(values, "bounce_category", WORD_LIMIT)
        if category is not None:
            by_category = CATEGORIES.get(category) or CATEGORIES.get(category.lower())
            recognised = by_category is not None
            vendor_event = f"{name}/{category}"
            category_kind, cause = by_category or (kind, cause)
            kind = kind if kind is Kind.DEFERRED else category_kind
        failure = classify(
            smtp_code=json_payload.integer(values, "response_code"),
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=kind is Kind.HARD_BOUNCE,
            recipient=text(values, "email"),
        )
        kind, cause = settle(kind, cause, failure)
    elif kind is Kind.DROPPED and diagnostic and "suppress" in diagnostic.lower():
        words = diagnostic.lower().partition("suppress")[2]
        word = next((word for word in SUPPRESSIONS if word in words), "suppressed")
        cause, vendor_event = SUPPRESSIONS[word], f"{name}/{word}"
    elif kind is Kind.DROPPED:
        cause = cause_of_drop(cause, diagnostic, recipient=text(values, "email"))
        kind = kind_of_drop(cause)
    return _Reading(
        kind=kind,
        cause=cause,
        vendor_event=vendor_event,
        recognised=recognised,
        diagnostic=diagnostic,
        failure=failure,
    )


PROVIDER = Provider(
    name="mailtrap",
    title="Mailtrap",
    documentation="https://docs.mailtrap.io/email-api-smtp/advanced/webhooks",
    proof="HMAC-SHA256 of the body",
    secret_help="the webhook's signing secret (32 hex digits, used as text): Settings, Webhooks, the webhook",
    schemes=SCHEMES,
    batch=_BATCH,
    batches=True,
    success_status=200,  # any other, 204 too, is sent again forty times
    account_paths={"sending_domain": "sending_domain_name"},
    vocabulary=(
        EVENTS
        | {f"bounce/{category}": meaning for category, meaning in CATEGORIES.items()}
        | {f"soft bounce/{category}": (Kind.DEFERRED, cause) for category, (_, cause) in CATEGORIES.items()}
        | {f"reject/{word}": (Kind.DROPPED, cause) for word, cause in SUPPRESSIONS.items()}
        | {f"{AUDIT_PREFIX}*": (Kind.OTHER, Cause.NONE)}
    ),
    parse=parse,
)

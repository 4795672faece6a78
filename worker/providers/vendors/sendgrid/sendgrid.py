"""Twilio SendGrid's Event Webhook: arrays of events, signed with ECDSA.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.json_web_token import JsonWebToken
from worker.providers.authentication.public_key import PublicKeySignature
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, WORD_LIMIT, fit_text
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider
from worker.providers.vendors.sendgrid.sendgrid_bounce import BOUNCE_CLASSES, settle_bounce

# -- How it authenticates ------------------------------------------------------------------------------------
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"

# SendGrid retries for 24 hours and does not say whether it signs again; older requests are replays.
DEFAULT_MAX_AGE_SECONDS = 48 * 3600

# -- What its events are -------------------------------------------------------------------------------------
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#delivery-events

EVENT_KINDS: dict[str, Kind] = {
    "processed": Kind.ACCEPTED,
    "deferred": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "bounce": Kind.SOFT_BOUNCE,  # the code below decides which one it is
    "dropped": Kind.DROPPED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spamreport": Kind.COMPLAINT,
    "unsubscribe": Kind.UNSUBSCRIBE,
    "group_unsubscribe": Kind.UNSUBSCRIBE,
    "group_resubscribe": Kind.RESUBSCRIBE,
    "account_status_change": Kind.OTHER,  # names nobody: our own account was suspended or restored
}

# -- Why it happened -----------------------------------------------------------------------------------------
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#dropped

DROP_CAUSES: dict[str, Cause] = {
    "bounced address": Cause.SUPPRESSED_BY_PROVIDER,
    "unsubscribed address": Cause.UNSUBSCRIBED_AT_PROVIDER,
    "spam reporting address": Cause.COMPLAINED_AT_PROVIDER,
    "invalid": Cause.INVALID_ADDRESS,
    "spam content": Cause.CONTENT,  # goes on: "(if Spam Checker app enabled)"
    "invalid smtpapi header": Cause.SENDER_CONFIGURATION,
    "recipient list over package quota": Cause.SENDER_CONFIGURATION,
}

_EVENT_CAUSES: dict[str, Cause] = {
    "deferred": Cause.UNDETERMINED,
    "bounce": Cause.UNDETERMINED,
    "dropped": Cause.UNDETERMINED,
    "spamreport": Cause.ABUSE_REPORT,
}
VOCABULARY: dict[str, tuple[Kind, Cause]] = (
    {name: (kind, _EVENT_CAUSES.get(name, Cause.NONE)) for name, kind in EVENT_KINDS.items()}
    | {f"dropped/{reason}": (kind_of_drop(cause), cause) for reason, cause in DROP_CAUSES.items()}
    | {
        f"bounce/{bounce_type}/{name}": meaning
        for name, bounce_class in BOUNCE_CLASSES.items()
        for bounce_type, meaning in (("bounce", bounce_class.bounce), ("blocked", bounce_class.blocked))
    }
    | {"bounce/expired": (Kind.SOFT_BOUNCE, Cause.EXPIRED)}
)

# -- How it is read ------------------------------------------------------------------------------------------

# The console's "Test Your Integration" sends one event of each sort for nobody, always with these values.
TEST_SMTP_ID = "<14c5d75ce93.dfd.64b469@ismtpd-555>"
TEST_ADDRESS = "example@test.com"

# The fields that identify an event. Without sg_event_id, which can change when SendGrid sends it again.
_KEY_FIELDS = ("event", "email", "sg_message_id", "smtp-id", "timestamp")
_FURTHER_KEY_FIELDS = ("response", "attempt", "reason", "type", "url", "asm_group_id", "ip", "useragent")
_KEY_FIELDS_BY_EVENT: dict[str, tuple[str, ...]] = {  # the fields of the most frequent events
    "processed": _KEY_FIELDS,
    "delivered": (*_KEY_FIELDS, "response"),
    "deferred": (*_KEY_FIELDS, "response", "attempt"),
    "open": (*_KEY_FIELDS, "ip", "useragent"),
}
_ALL_KEY_FIELDS = (*_KEY_FIELDS, *_FURTHER_KEY_FIELDS)
# The sender's own arguments are among SendGrid's keys at the top level: all keys that are not listed here.
_VENDOR_FIELDS = frozenset(
    {
        *_ALL_KEY_FIELDS,
        *("sg_event_id", "status", "bounce_classification", "category", "tls", "pool", "cert_err"),
        *("url_offset", "sg_content_type", "sg_machine_open", "sg_template_id", "sg_template_name"),
        *("marketing_campaign_id", "marketing_campaign_name", "marketing_campaign_version"),
        *("marketing_campaign_split_id", "singlesend_id", "singlesend_name", "template_id", "template_hash"),
        *("phase_id", "send_at", "mc_stats", "mc_auto_id", "mc_auto_name", "mc_pod_id", "post_type", "newsletter"),
        *("sg_user_id", "sg_host", "smtp_id"),
    }
)

_BATCH = BatchBody("SendGrid webhook body")


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each element; an unreadable one becomes an event `malformed` without effect."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_event)


class _Reading(Struct, frozen=True, kw_only=True, gc=False):
    """The parts of an element that depend on its event."""

    kind: Kind
    cause: Cause = Cause.NONE
    vendor_event: str
    words: str = "reason"  # the field with the server's words
    failure: Classification | None = None
    scope: str | None = None
    recognised: bool = True


def _read_event(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    name, email = values.get("event"), values.get("email")
    if not isinstance(name, str):
        return None
    reading = _PLAIN.get(name) or _READERS.get(name, _read_unknown)(values)
    kind, cause = reading.kind, reading.cause
    if email == TEST_ADDRESS or values.get("smtp-id") == TEST_SMTP_ID:
        kind, cause = Kind.OTHER, Cause.TEST
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=map(values.get, _KEY_FIELDS_BY_EVENT.get(name, _ALL_KEY_FIELDS)),
        address=email if isinstance(email, str) else None,
        vendor_event=reading.vendor_event,
        vendor_time=from_unix_seconds(values.get("timestamp")),
        recognised=reading.recognised,
        failure=reading.failure,
        message_id=_message_id(values),
        diagnostic=_words(values, reading.words),
        scope=reading.scope,
        machine=values.get("sg_machine_open") is True,
        tags=json_payload.tags(values, "category"),
        metadata=json_payload.metadata({key: value for key, value in values.items() if key not in _VENDOR_FIELDS}),
        campaign=_campaign(values),
    )


# Events that need nothing but their name.
_PLAIN: dict[str, _Reading] = {
    name: _Reading(kind=EVENT_KINDS[name], cause=VOCABULARY[name][1], vendor_event=name, words=words)
    for name, words in (
        *(("delivered", "response"), ("processed", ""), ("open", ""), ("click", "")),
        ("unsubscribe", ""),
    )
}


def _read_deferred(values: Mapping[str, Any]) -> _Reading:
    classification = _classify(values, _words(values, "response"), permanent=False)
    return _Reading(
        kind=Kind.DEFERRED,
        cause=classification.cause,
        vendor_event="deferred",
        words="response",
        failure=classification,
    )


def _read_dropped(values: Mapping[str, Any]) -> _Reading:
    cause = _drop_cause(_words(values, "reason"))
    return _Reading(kind=kind_of_drop(cause), cause=cause, vendor_event="dropped")


def _read_account_change(values: Mapping[str, Any]) -> _Reading:
    change = json_payload.text(values, "type", WORD_LIMIT)
    return _Reading(
        kind=Kind.OTHER, vendor_event=f"account_status_change/{change}" if change else "account_status_change"
    )


def _read_group_event(values: Mapping[str, Any]) -> _Reading:
    name = values["event"]
    group = json_payload.text(values, "asm_group_id", WORD_LIMIT)
    kind, cause = VOCABULARY[name]
    return _Reading(kind=kind, cause=cause, vendor_event=name, scope=f"asm_group:{group}" if group else None)


def _read_unknown(values: Mapping[str, Any]) -> _Reading:
    return _Reading(kind=Kind.OTHER, vendor_event=values["event"], recognised=False)


def _words(values: Mapping[str, Any], key: str) -> str | None:
    value = values.get(key)
    return fit_text(value, DIAGNOSTIC_LIMIT) if isinstance(value, str) and value else None


def _campaign(values: Mapping[str, Any]) -> str | None:
    """The campaign of Marketing Campaigns; mail that was sent by the API has none."""
    for field in ("singlesend_id", "marketing_campaign_id"):
        if field in values:
            return json_payload.text(values, field)
    return None


def _message_id(values: Mapping[str, Any]) -> str | None:
    sg_message_id = values.get("sg_message_id")
    if isinstance(sg_message_id, str) and sg_message_id:
        # The part before the first dot is the X-Message-Id in the answer of the sending API.
        return fit_text(sg_message_id.partition(".")[0], MESSAGE_ID_LIMIT)
    smtp_id = values.get("smtp-id")
    if isinstance(smtp_id, str) and smtp_id:
        return fit_text(smtp_id.strip("<> "), MESSAGE_ID_LIMIT)
    return None


def _drop_cause(reason: str | None) -> Cause:
    if reason is None:
        return Cause.UNDETERMINED
    lowered = reason.lower().strip()
    cause = DROP_CAUSES.get(lowered)
    if cause is None and lowered.startswith("spam content"):
        cause = Cause.CONTENT
    return cause or cause_of_drop(Cause.UNDETERMINED, reason)


def _classify(values: Mapping[str, Any], diagnostic: str | None, *, permanent: bool | None) -> Classification:
    return classify(
        smtp_code=None,
        enhanced_status=json_payload.text(values, "status", 100),
        diagnostic=diagnostic,
        permanent=permanent,
        recipient=json_payload.text(values, "email"),
    )


def _read_bounce(values: Mapping[str, Any]) -> _Reading:
    bounce_type = (json_payload.text(values, "type", WORD_LIMIT) or "").lower()
    class_name = json_payload.text(values, "bounce_classification", WORD_LIMIT) or ""
    classification = _classify(values, _words(values, "reason"), permanent=True if bounce_type == "bounce" else None)
    kind, cause = settle_bounce(bounce_type, class_name.lower(), classification)
    return _Reading(
        kind=kind,
        cause=cause,
        vendor_event="/".join(filter(None, ("bounce", bounce_type, class_name))),
        failure=classification,
    )


_READERS: dict[str, Callable[[Mapping[str, Any]], _Reading]] = {
    "deferred": _read_deferred,
    "bounce": _read_bounce,
    "dropped": _read_dropped,
    "spamreport": _read_group_event,
    "group_unsubscribe": _read_group_event,
    "group_resubscribe": _read_group_event,
    "account_status_change": _read_account_change,
}


PROVIDER = Provider(
    name="sendgrid",
    title="Twilio SendGrid",
    documentation="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
    proof="ECDSA P-256 of a time and the body, an OAuth token, or basic",
    secret_help=(
        "the verification key of the signed event webhook, one line of base64 that starts with MFkw: "
        "Settings > Mail Settings > Event Webhooks > Signature Verification"
    ),
    schemes={
        "": PublicKeySignature(
            header=SIGNATURE_HEADER,
            algorithm="ecdsa_p256",
            timestamp_header=TIMESTAMP_HEADER,
            max_age_seconds=DEFAULT_MAX_AGE_SECONDS,
        ),
        "basic": BasicCredentials(),
        "oauth": JsonWebToken(),
        "bearer": bearer_token(),  # an identity provider whose tokens are no JWTs, and do not change
    },
    batch=_BATCH,
    batches=True,
    campaign_fields=(
        "singlesend_id",
        "marketing_campaign_id",
    ),
    vocabulary=VOCABULARY,
    parse=parse,
)

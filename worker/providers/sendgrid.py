"""Twilio SendGrid's Event Webhook: arrays of events, signed with ECDSA.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.callers_address import refuse_address
from worker.providers.authentication.credentials import refuse_basic_auth
from worker.providers.authentication.public_key import ecdsa_p256_matches, load_p256_key
from worker.providers.authentication.scheme import check_common, is_open
from worker.providers.authentication.source_options import check_options, seconds_option
from worker.providers.classification.failure import Classification, classify
from worker.providers.payload import json_payload
from worker.providers.payload.event_key import make_event_key
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, WORD_LIMIT, fit_text
from worker.providers.payload.vendor_time import from_unix_seconds, settle_occurred_at
from worker.providers.provider import Accepted, Refused, Verdict, WebhookRequest
from worker.providers.sendgrid_bounce import BOUNCE_CLASSES, settle_bounce
from worker.providers.webhook_provider import WebhookProvider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

SIGNATURE_HEADER = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER = "x-twilio-email-event-webhook-timestamp"
BASIC = "basic"  # Source.authentication: user and password in the webhook's URL instead of a signature

# SendGrid retries for 24 hours and does not say whether it signs again; an older one is a replay.
DEFAULT_MAX_AGE_SECONDS = 48 * 3600

# -- What its events are -------------------------------------------------------------------------------------
# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event#delivery-events

EVENT_KINDS: dict[str, Kind] = {
    "processed": Kind.ACCEPTED,
    "deferred": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "bounce": Kind.SOFT_BOUNCE,  # and which one in truth is decided below
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
    | {f"dropped/{reason}": (Kind.DROPPED, cause) for reason, cause in DROP_CAUSES.items()}
    | {
        f"bounce/{bounce_type}/{name}": meaning
        for name, bounce_class in BOUNCE_CLASSES.items()
        for bounce_type, meaning in (("bounce", bounce_class.bounce), ("blocked", bounce_class.blocked))
    }
    | {"bounce/expired": (Kind.SOFT_BOUNCE, Cause.EXPIRED)}
)

# -- How it is read ------------------------------------------------------------------------------------------

# The console's "Test Your Integration" sends one of each event for nobody, with these same values each time.
TEST_SMTP_ID = "<14c5d75ce93.dfd.64b469@ismtpd-555>"
TEST_ADDRESS = "example@test.com"

# What makes an event this one. sg_event_id is not among them: it can change when SendGrid sends it again.
_KEY_FIELDS = (
    *("sg_message_id", "smtp-id", "email", "event", "timestamp", "type", "reason", "response", "attempt"),
    *("url", "asm_group_id", "ip", "useragent"),
)
# The sender's own arguments stand among SendGrid's keys at the top level: all that is not listed here.
_VENDOR_FIELDS = frozenset(
    {
        *_KEY_FIELDS,
        *("sg_event_id", "status", "bounce_classification", "category", "tls", "pool", "cert_err"),
        *("url_offset", "sg_content_type", "sg_machine_open", "sg_template_id", "sg_template_name"),
        *("marketing_campaign_id", "marketing_campaign_name", "marketing_campaign_version"),
        *("marketing_campaign_split_id", "singlesend_id", "singlesend_name", "template_id", "template_hash"),
        *("phase_id", "send_at", "mc_stats", "mc_auto_id", "mc_auto_name", "mc_pod_id", "post_type", "newsletter"),
        *("sg_user_id", "sg_host", "smtp_id"),
    }
)

_decode_element = msgspec.json.Decoder().decode
_encode_values = msgspec.json.Encoder().encode


class SendGrid(WebhookProvider):
    """See worker.providers.provider.Provider."""

    name: ClassVar[str] = "sendgrid"
    title: ClassVar[str] = "Twilio SendGrid"
    documentation: ClassVar[str] = "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"
    proof: ClassVar[str] = "ECDSA P-256 of a time and the body"
    batches: ClassVar[bool] = True
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]] = VOCABULARY
    success_status: ClassVar[int] = 200
    later_status: ClassVar[int] = 503
    kept_headers: ClassVar[frozenset[str]] = frozenset()
    secret_help: ClassVar[str] = (
        "the verification key of the signed event webhook, one line of base64 that starts with MFkw: "  # noqa: S105 - says where to find it
        "Settings > Mail Settings > Event Webhooks > Signature Verification"
    )

    def check_source(self, source: Source) -> list[str]:
        """What is wrong with the source, each with its remedy."""
        problems = check_common(source, schemes=("", BASIC), secret_help=f"add {self.secret_help}")
        problems += check_options(source, seconds=("max_age_seconds",))
        if source.authentication == BASIC:
            if any(":" not in secret.reveal() for secret in source.secrets):
                problems.append("a secret of basic authentication is written user:password")
        elif any(load_p256_key(secret.reveal()) is None for secret in source.secrets if secret.reveal()):
            problems.append(f"one of the secrets is no P-256 public key: copy {self.secret_help}")
        return problems

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Accepts a body that SendGrid signed with one of the source's keys."""
        del certificates  # the public keys are in the source
        if refused := refuse_address(request, source):
            return refused
        if is_open(source):
            return Accepted()
        if source.authentication == BASIC:
            return refuse_basic_auth(request, source.secrets) or Accepted()
        return _refuse_signature(request, source, now) or Accepted()

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """One event for each element; an unreadable one becomes an event `malformed` that changes nothing."""
        del source  # all that is read stands in the payload
        elements = json_payload.decode_array_of_raw(envelope.body, "SendGrid webhook body")
        return [_read_element(bytes(element), envelope) for element in elements]


PROVIDER = SendGrid()


def _refuse_signature(request: WebhookRequest, source: Source, now: datetime) -> Refused | None:
    signature = request.headers.get(SIGNATURE_HEADER, "")
    timestamp = request.headers.get(TIMESTAMP_HEADER, "")
    if not signature or not timestamp:
        return Refused(
            reason="missing_signature",
            detail="the request carries no SendGrid signature: switch on Signature Verification for this "
            "webhook in SendGrid, and copy its key into the source's secrets",
        )
    signed = timestamp.encode("utf-8", "surrogateescape") + request.body
    if not ecdsa_p256_matches(signature, signed, source.secrets):
        return Refused(
            reason="bad_signature",
            detail="the signature fits none of this source's keys: compare them with the verification key "
            "in SendGrid (switching the signature off and on makes a new one), and make sure that no proxy "
            "changes the body",
        )
    signed_at = from_unix_seconds(timestamp)
    max_age_seconds = seconds_option(source, "max_age_seconds", DEFAULT_MAX_AGE_SECONDS)
    if signed_at is None or now - signed_at > timedelta(seconds=max_age_seconds):
        return Refused(
            reason="stale",
            detail=f"signed at {timestamp[:20]}, longer ago than max_age_seconds = {max_age_seconds}: "
            "a replay, or this machine's clock is wrong",
        )
    return None


class _Reading(Struct, frozen=True, kw_only=True, gc=False):
    """What an element says beyond the fields that all have."""

    kind: Kind
    cause: Cause = Cause.NONE
    vendor_event: str
    diagnostic: str | None = None
    smtp_code: int | None = None
    enhanced_status: str | None = None
    scope: str | None = None
    recognised: bool = True


def _read_element(raw: bytes, envelope: Envelope) -> FeedbackEvent:
    try:
        values = _decode_element(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _malformed(raw, envelope)
    name = values.get("event") if isinstance(values, dict) else None
    if not isinstance(name, str):
        return _malformed(raw, envelope)
    reading = _PLAIN.get(name) or _READERS.get(name, _read_unknown)(values)
    kind, cause = reading.kind, reading.cause
    email = values.get("email")
    if email == TEST_ADDRESS or values.get("smtp-id") == TEST_SMTP_ID:
        kind, cause = Kind.OTHER, Cause.TEST
    occurred_at, arrival_dated = settle_occurred_at(from_unix_seconds(values.get("timestamp")), envelope.received_at)
    return FeedbackEvent(
        event_key=make_event_key(kind, envelope.account, _encode_values(list(map(values.get, _KEY_FIELDS)))),
        provider=envelope.provider,
        source=envelope.source,
        account=envelope.account,
        address=normalise_address(email) if isinstance(email, str) else None,
        kind=kind,
        cause=cause,
        occurred_at=occurred_at,
        received_at=envelope.received_at,
        delivery_id=envelope.delivery_id,
        arrival_dated=arrival_dated,
        vendor_event=reading.vendor_event,
        recognised=reading.recognised,
        message_id=_message_id(values),
        smtp_code=reading.smtp_code,
        enhanced_status=reading.enhanced_status,
        diagnostic=reading.diagnostic,
        scope=reading.scope,
        machine=values.get("sg_machine_open") is True,
        tags=json_payload.tags(values, "category"),
        metadata=_metadata(values),
        raw=raw,
    )


# Events whose name says all.
_PLAIN: dict[str, _Reading] = {
    name: _Reading(
        kind=EVENT_KINDS[name],
        cause=Cause.ABUSE_REPORT if name == "spamreport" else Cause.NONE,
        vendor_event=name,
    )
    for name in ("processed", "open", "click", "spamreport", "unsubscribe")
}


def _read_delivered(values: Mapping[str, Any]) -> _Reading:
    return _Reading(kind=Kind.DELIVERED, vendor_event="delivered", diagnostic=_words(values, "response"))


def _read_deferred(values: Mapping[str, Any]) -> _Reading:
    diagnostic = _words(values, "response")
    found = _classified(values, diagnostic, permanent=False)
    return _Reading(
        kind=Kind.DEFERRED,
        cause=found.cause,
        vendor_event="deferred",
        diagnostic=diagnostic,
        smtp_code=found.smtp_code,
        enhanced_status=found.enhanced_status,
    )


def _read_dropped(values: Mapping[str, Any]) -> _Reading:
    reason = _words(values, "reason")
    return _Reading(kind=Kind.DROPPED, cause=_drop_cause(reason), vendor_event="dropped", diagnostic=reason)


def _read_account_change(values: Mapping[str, Any]) -> _Reading:
    change = json_payload.text(values, "type", WORD_LIMIT)
    return _Reading(
        kind=Kind.OTHER, vendor_event=f"account_status_change/{change}" if change else "account_status_change"
    )


def _read_group_event(values: Mapping[str, Any]) -> _Reading:
    name = values["event"]
    group = json_payload.text(values, "asm_group_id", WORD_LIMIT)
    return _Reading(kind=EVENT_KINDS[name], vendor_event=name, scope=f"asm_group:{group}" if group else None)


def _read_unknown(values: Mapping[str, Any]) -> _Reading:
    return _Reading(kind=Kind.OTHER, vendor_event=fit_text(values["event"], WORD_LIMIT), recognised=False)


def _words(values: Mapping[str, Any], key: str) -> str | None:
    value = values.get(key)
    return fit_text(value, DIAGNOSTIC_LIMIT) if isinstance(value, str) and value else None


def _malformed(raw: bytes, envelope: Envelope) -> FeedbackEvent:
    return FeedbackEvent(
        event_key=make_event_key(Kind.OTHER, envelope.account, raw),
        provider=envelope.provider,
        source=envelope.source,
        account=envelope.account,
        address=None,
        kind=Kind.OTHER,
        occurred_at=envelope.received_at,
        received_at=envelope.received_at,
        delivery_id=envelope.delivery_id,
        arrival_dated=True,
        vendor_event="malformed",
        recognised=False,
        raw=raw,
    )


def _message_id(values: Mapping[str, Any]) -> str | None:
    sg_message_id = values.get("sg_message_id")
    if isinstance(sg_message_id, str) and sg_message_id:
        # What precedes the first dot is the X-Message-Id that the sending API answered with.
        return fit_text(sg_message_id.partition(".")[0], MESSAGE_ID_LIMIT)
    smtp_id = values.get("smtp-id")
    if isinstance(smtp_id, str) and smtp_id:
        return fit_text(smtp_id.strip("<> "), MESSAGE_ID_LIMIT)
    return None


def _metadata(values: dict[str, Any]) -> dict[str, Any] | None:
    own = values.keys() - _VENDOR_FIELDS
    return json_payload.metadata({key: values[key] for key in values if key in own}) if own else None


def _drop_cause(reason: str | None) -> Cause:
    if reason is None:
        return Cause.UNDETERMINED
    lowered = reason.lower().strip()
    cause = DROP_CAUSES.get(lowered)
    if cause is None and lowered.startswith("spam content"):
        cause = Cause.CONTENT
    return cause or Cause.UNDETERMINED


def _classified(values: Mapping[str, Any], diagnostic: str | None, *, permanent: bool | None) -> Classification:
    return classify(
        smtp_code=None,
        enhanced_status=json_payload.text(values, "status", 100),
        diagnostic=diagnostic,
        permanent=permanent,
    )


def _read_bounce(values: Mapping[str, Any]) -> _Reading:
    diagnostic = _words(values, "reason")
    bounce_type = (json_payload.text(values, "type", WORD_LIMIT) or "").lower()
    class_name = json_payload.text(values, "bounce_classification", WORD_LIMIT) or ""
    found = _classified(values, diagnostic, permanent=True if bounce_type == "bounce" else None)
    kind, cause = settle_bounce(bounce_type, class_name.lower(), found)
    return _Reading(
        kind=kind,
        cause=cause,
        vendor_event=fit_text("/".join(filter(None, ("bounce", bounce_type, class_name))), WORD_LIMIT),
        diagnostic=diagnostic,
        smtp_code=found.smtp_code,
        enhanced_status=found.enhanced_status,
    )


_READERS: dict[str, Callable[[Mapping[str, Any]], _Reading]] = {
    "delivered": _read_delivered,
    "deferred": _read_deferred,
    "bounce": _read_bounce,
    "dropped": _read_dropped,
    "group_unsubscribe": _read_group_event,
    "group_resubscribe": _read_group_event,
    "account_status_change": _read_account_change,
}

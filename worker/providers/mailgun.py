"""Mailgun's webhooks in their JSON form: one event a request, an HMAC over timestamp and token.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import getaddresses
from hashlib import blake2b
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.callers_address import refuse_address
from worker.providers.authentication.hmac_signature import hmac_matches
from worker.providers.authentication.scheme import check_common, is_open
from worker.providers.authentication.source_options import check_options, seconds_option
from worker.providers.mailgun_failure import FAILURES, Failure, settle_failure
from worker.providers.payload import json_payload
from worker.providers.payload.event_key import make_event_key
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, WORD_LIMIT, child, fit_text
from worker.providers.payload.vendor_time import from_unix_seconds, settle_occurred_at
from worker.providers.provider import Accepted, Refused, Verdict, WebhookRequest
from worker.providers.webhook_provider import WebhookProvider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
# The body is not signed: whoever sees one signature can put any event beside it. So each token is accepted
# for one event only, for as long as its timestamp is accepted.

DEFAULT_MAX_AGE_SECONDS = 9 * 3600  # Mailgun retries for about 8 hours, perhaps with the old signature
CLOCK_SLACK_SECONDS = 3600  # how far Mailgun's clock may run ahead of ours

# -- What its events are -------------------------------------------------------------------------------------
# https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure

EVENT_KINDS: dict[str, Kind] = {
    "accepted": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "failed": Kind.SOFT_BOUNCE,  # severity and reason decide: worker.providers.mailgun_failure
    "rejected": Kind.DROPPED,
    "complained": Kind.COMPLAINT,
    "unsubscribed": Kind.UNSUBSCRIBE,
    "opened": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "dropped": Kind.DROPPED,  # old names that some accounts still send
    "blocked": Kind.DROPPED,
    "stored": Kind.OTHER,  # inbound mail
    "list_member_uploaded": Kind.OTHER,
    "list_member_upload_error": Kind.OTHER,
    "list_uploaded": Kind.OTHER,
}

# -- Why it happened -----------------------------------------------------------------------------------------
# `failed` has its table in worker.providers.mailgun_failure; of the others only these name a reason.

REJECT_CAUSES: tuple[tuple[str, Cause], ...] = (
    ("virus", Cause.VIRUS),
    ("malware", Cause.VIRUS),
    ("recipient", Cause.INVALID_ADDRESS),
    ("address", Cause.INVALID_ADDRESS),
    ("spam", Cause.CONTENT),
)

VOCABULARY: dict[str, tuple[Kind, Cause]] = (
    {
        name: (kind, Cause.UNDETERMINED if kind in {Kind.SOFT_BOUNCE, Kind.DROPPED} else Cause.NONE)
        for name, kind in EVENT_KINDS.items()
    }
    | {"complained": (Kind.COMPLAINT, Cause.ABUSE_REPORT)}
    | FAILURES
    | {f"rejected/{word}": (Kind.DROPPED, cause) for word, cause in REJECT_CAUSES}
)

# -- How it is read ------------------------------------------------------------------------------------------

# The console's sample events carry these variables.
_SAMPLE_VARIABLE = ("my_var_1", "Mailgun Variable #1")


class _Webhook(Struct, gc=False):
    """The body: the event stays as its own bytes."""

    event: msgspec.Raw = msgspec.field(name="event-data")


class _SignedWebhook(Struct, gc=False):
    signature: dict[str, Any]
    event: msgspec.Raw = msgspec.field(name="event-data", default_factory=msgspec.Raw)


_decode_webhook = msgspec.json.Decoder(_Webhook).decode
_decode_signed = msgspec.json.Decoder(_SignedWebhook).decode


class Mailgun(WebhookProvider):
    """See worker.providers.provider.Provider."""

    name: ClassVar[str] = "mailgun"
    title: ClassVar[str] = "Mailgun"
    documentation: ClassVar[str] = "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks"
    proof: ClassVar[str] = "HMAC-SHA256 of a time and a one-time token"
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]] = VOCABULARY
    account_paths: ClassVar[Mapping[str, str]] = {"sending_domain": "domain.name || message.headers.from"}
    success_status: ClassVar[int] = 200  # no other 2xx is documented as success
    later_status: ClassVar[int] = 503
    kept_headers: ClassVar[frozenset[str]] = frozenset()
    secret_help: ClassVar[str] = (
        "the HTTP webhook signing key of the account: Sending > Webhooks, or Settings > API security"  # noqa: S105 - says where to find it
    )

    def check_source(self, source: Source) -> list[str]:
        """What is wrong with the source, each with its remedy."""
        problems = check_common(source, secret_help=f"add {self.secret_help}")
        return problems + check_options(source, seconds=("max_age_seconds",))

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Accepts a fresh signature of one of the source's keys; the verdict names the token to remember.

        An event of a subaccount is signed twice, with its own key and with the primary account's
        (`parent-signature`): either one is enough.
        """
        del certificates  # the keys are in the source
        if refused := refuse_address(request, source):
            return refused
        if is_open(source):
            return Accepted()
        try:
            webhook = _decode_signed(request.body)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return Refused(
                reason="missing_signature",
                detail="the body is no JSON object with a signature: set the webhook up in Mailgun's current "
                "form, the older form-encoded one is not read",
            )
        return _judge(webhook, source, now)

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """The one event of the body."""
        del source  # all that is read stands in the payload
        try:
            raw = bytes(_decode_webhook(envelope.body).event)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise UnreadablePayload(f"Mailgun webhook body: no JSON object with event-data ({error})") from error
        values = json_payload.decode_object(raw, "Mailgun event-data")
        return [_read_event(values, raw, envelope)]


PROVIDER = Mailgun()


def _judge(webhook: _SignedWebhook, source: Source, now: datetime) -> Verdict:
    timestamp = _timestamp_text(webhook.signature.get("timestamp"))
    token = webhook.signature.get("token")
    signatures = [
        signature
        for key in ("signature", "parent-signature")
        if isinstance(signature := webhook.signature.get(key), str) and signature
    ]
    if timestamp is None or not isinstance(token, str) or not token or not signatures:
        return Refused(
            reason="missing_signature",
            detail="signature.timestamp, signature.token or signature.signature is missing from the body",
        )
    signed = f"{timestamp}{token}".encode()
    matches = [hmac_matches(signature, signed, source.secrets) for signature in signatures]
    if not any(matches):
        return Refused(
            reason="bad_signature",
            detail="the signature fits none of this source's keys: compare them with the HTTP webhook signing "
            "key of the account (or of its primary account)",
        )
    max_age = timedelta(seconds=seconds_option(source, "max_age_seconds", DEFAULT_MAX_AGE_SECONDS))
    slack = timedelta(seconds=CLOCK_SLACK_SECONDS)
    signed_at = from_unix_seconds(timestamp)
    if signed_at is None or not -slack <= now - signed_at <= max_age:
        return Refused(
            reason="stale",
            detail=f"signed at {timestamp[:20]}, outside of max_age_seconds = {max_age.total_seconds():.0f}: "
            "a replay, or this machine's clock is wrong",
        )
    return Accepted(
        replay_token=token,
        replay_fingerprint=_fingerprint(bytes(webhook.event)),
        replay_window_seconds=int((max_age + slack).total_seconds()),
    )


def _timestamp_text(value: object) -> str | None:
    """The timestamp as Mailgun signed it: its text, or a number without a fraction."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return str(value) if isinstance(value, int) else f"{value:.0f}"


def _fingerprint(event: bytes) -> str:
    """What the token is good for: one event of one recipient with one outcome, however it is spelled."""
    try:
        values = json_payload.decode_object(event, "Mailgun event-data")
    except UnreadablePayload:
        values = {}
    status = child(values, "delivery-status")
    named = [
        *(values.get(key) for key in ("id", "event", "recipient", "severity", "reason", "timestamp")),
        *(status.get(key) for key in ("code", "enhanced-code", "bounce-type")),
    ]
    told = msgspec.json.encode(named) if named[0] else event
    return blake2b(told, digest_size=16).hexdigest()


def _read_event(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    name = values.get("event")
    if not isinstance(name, str) or not name:
        raise UnreadablePayload("Mailgun event-data: the event has no name")
    status = child(values, "delivery-status")
    diagnostic = json_payload.text(status, "message", DIAGNOSTIC_LIMIT) or json_payload.text(
        status, "description", DIAGNOSTIC_LIMIT
    )
    failure = _what_happened(name, values, status, diagnostic)
    if _is_test(values):
        failure = Failure(kind=Kind.OTHER, cause=Cause.TEST, vendor_event=failure.vendor_event)
    vendor_time = from_unix_seconds(values.get("timestamp"))
    occurred_at, arrival_dated = settle_occurred_at(vendor_time, envelope.received_at)
    return FeedbackEvent(
        event_key=_event_key(failure.kind, values, vendor_time, raw, envelope.account),
        provider=envelope.provider,
        source=envelope.source,
        account=envelope.account,
        address=_recipient(values),
        kind=failure.kind,
        cause=failure.cause,
        occurred_at=occurred_at,
        received_at=envelope.received_at,
        delivery_id=envelope.delivery_id,
        arrival_dated=arrival_dated,
        vendor_event=fit_text(failure.vendor_event, WORD_LIMIT),
        recognised=failure.recognised,
        message_id=_message_id(values),
        smtp_code=failure.smtp_code,
        enhanced_status=failure.enhanced_status,
        diagnostic=failure.diagnostic or diagnostic,
        machine=json_payload.text(child(values, "client-info"), "bot") is not None,
        tags=json_payload.tags(values, "tags"),
        metadata=json_payload.metadata(values.get("user-variables")),
        raw=raw,
    )


def _what_happened(name: str, values: Mapping[str, Any], status: Mapping[str, Any], diagnostic: str | None) -> Failure:
    if name == "failed":
        return settle_failure(values, status, diagnostic)
    kind = EVENT_KINDS.get(name, Kind.OTHER)
    if kind is Kind.DROPPED:
        reject = child(values, "reject")
        told = [json_payload.text(reject, key) for key in ("reason", "description")]
        reason = ": ".join(word for word in told if word) or diagnostic
        return Failure(
            kind=kind, cause=_reject_cause(reason), vendor_event=name, diagnostic=reason and fit_text(reason, 2000)
        )
    cause = Cause.ABUSE_REPORT if kind is Kind.COMPLAINT else Cause.NONE
    return Failure(kind=kind, cause=cause, vendor_event=name, recognised=name in EVENT_KINDS)


def _reject_cause(reason: str | None) -> Cause:
    lowered = (reason or "").lower()
    return next((cause for word, cause in REJECT_CAUSES if word in lowered), Cause.UNDETERMINED)


def _is_test(values: Mapping[str, Any]) -> bool:
    flags = child(values, "flags")
    if flags.get("is-test-mode") is True or flags.get("is-system-test") is True:
        return True
    key, value = _SAMPLE_VARIABLE
    return child(values, "user-variables").get(key) == value


def _event_key(kind: Kind, values: Mapping[str, Any], vendor_time: datetime | None, raw: bytes, account: str) -> bytes:
    vendor_id = json_payload.text(values, "id", MESSAGE_ID_LIMIT)
    if vendor_id is None:
        return make_event_key(kind, account, raw)
    # An id is promised to be unique for one day only.
    day = vendor_time.date().isoformat() if vendor_time is not None else None
    return make_event_key(
        kind, account, vendor_id, day, json_payload.text(values, "event"), json_payload.text(values, "recipient")
    )


def _message_id(values: Mapping[str, Any]) -> str | None:
    headers = child(child(values, "message"), "headers")
    message_id = json_payload.text(headers, "message-id", MESSAGE_ID_LIMIT)
    return message_id.strip("<> ") or None if message_id else None


def _recipient(values: Mapping[str, Any]) -> str | None:
    recipient = values.get("recipient")
    if isinstance(recipient, str):
        return normalise_address(recipient)
    # `rejected` names nobody but the header To; when that names several, nobody knows which one it was.
    to = json_payload.text(child(child(values, "message"), "headers"), "to")
    addresses = getaddresses([to]) if to else []
    return normalise_address(addresses[0][1]) if len(addresses) == 1 else None

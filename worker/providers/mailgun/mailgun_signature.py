"""How Mailgun signs: an HMAC over a time and a one-time token, all of them inside the body.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks

The event is not signed: whoever sees one signature can put any event beside it. So each token is accepted for one event
only, for as long as its time is.
"""

from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.freshness import CLOCK_SLACK_SECONDS, MAX_AGE_OPTION, refuse_stale
from worker.providers.authentication.hmac_signature import bad_signature, hmac_matches
from worker.providers.authentication.source_options import seconds_option
from worker.providers.mailgun.mailgun_form import is_form, read_form, signature_fields
from worker.providers.payload.json_payload import child, decode_object
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Accepted, Refused, WebhookRequest

DEFAULT_MAX_AGE_SECONDS = 9 * 3600  # Mailgun retries for about 8 hours, perhaps with the old signature


class _SignedWebhook(Struct, gc=False):
    signature: dict[str, Any]
    event: msgspec.Raw = msgspec.field(name="event-data", default_factory=msgspec.Raw)


_decode_signed = msgspec.json.Decoder(_SignedWebhook).decode


class TokenSignature(Struct, frozen=True):
    """An event of a subaccount is signed twice, with its own key and with the primary account's: either is enough."""

    def refuse(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """None when a signature fits under one of the source's keys and is recent."""
        fields, _ = _signed_parts(request)
        timestamp, token = _timestamp_text(fields.get("timestamp")), fields.get("token")
        signatures = [
            signature
            for key in ("signature", "parent-signature")
            if isinstance(signature := fields.get(key), str) and signature
        ]
        if timestamp is None or not isinstance(token, str) or not token or not signatures:
            return Refused(
                reason="missing_signature",
                detail="the body has no timestamp, token and signature, neither as JSON nor as a form: it is not "
                "Mailgun's, or a proxy has changed it",
            )
        signed = f"{timestamp}{token}".encode("utf-8", "surrogatepass")
        matches = [hmac_matches(signature, signed, source.secrets) for signature in signatures]
        if not any(matches):
            return bad_signature()
        return refuse_stale(
            from_unix_seconds(timestamp), source, now=now, default_max_age_seconds=DEFAULT_MAX_AGE_SECONDS
        )

    def check_secrets(self, source: Source) -> list[str]:
        """Any text can be a key."""
        del source
        return []


def accept_once(request: WebhookRequest, source: Source) -> Accepted:
    """The verdict on an authentic request: it names the token to remember, and what it was used for."""
    fields, fingerprint = _signed_parts(request)
    max_age_seconds = seconds_option(source, MAX_AGE_OPTION, DEFAULT_MAX_AGE_SECONDS)
    return Accepted(
        replay_token=fields["token"],
        replay_fingerprint=fingerprint,
        replay_window_seconds=max_age_seconds + CLOCK_SLACK_SECONDS,
    )


def _signed_parts(request: WebhookRequest) -> tuple[dict[str, Any], str]:
    """The fields of the signature, {} when there are none, and the event's fingerprint."""
    content_type = request.headers.get("content-type", "")
    if is_form(request.body, content_type):
        try:
            form = read_form(request.body, content_type)
        except UnreadablePayload:
            return {}, ""
        return signature_fields(form), _hash(
            msgspec.json.encode([form.get(key) for key in ("event", "recipient", "code", "reason", "Message-Id")])
        )
    try:
        webhook = _decode_signed(request.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}, ""
    return webhook.signature, _fingerprint(bytes(webhook.event))


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
        values = decode_object(event, "Mailgun event-data")
    except UnreadablePayload:
        values = {}
    status = child(values, "delivery-status")
    named = [
        *(values.get(key) for key in ("id", "event", "recipient", "severity", "reason", "timestamp")),
        *(status.get(key) for key in ("code", "enhanced-code", "bounce-type")),
    ]
    return _hash(msgspec.json.encode(named) if named[0] else event)


def _hash(told: bytes) -> str:
    return blake2b(told, digest_size=16).hexdigest()

"""How Mailgun signs: an HMAC over a time and a one-time token, all of them inside the body.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks

The event is not signed: anybody who sees one signature can send any event with it. So a signature is accepted for one
event only, as long as its time is accepted, at all sources with the same key together.

There is no separator between the signed time and token. Digits at the beginning of a token could be read as the end of
the time: so a time must have ten digits, and both are remembered together.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from schemas.one_time_token import OneTimeToken
from schemas.source import Secret, Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.freshness import (
    DEFAULT_MAX_AHEAD_SECONDS,
    TIME_OPTIONS,
    Freshness,
    freshness_of,
    refuse_stale,
)
from worker.providers.authentication.hmac_signature import bad_signature, hmac_matches
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_time import bad_time, read_signed_time
from worker.providers.authentication.source_options import Option
from worker.providers.payload.json_payload import decode_object
from worker.providers.vendors.mailgun.mailgun_form import is_form, read_form, read_signature, without_signature
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest

DEFAULT_MAX_AGE_SECONDS = 9 * 3600  # Mailgun retries for about 8 hours, perhaps with the old signature


class _Signature(Struct, gc=False):
    """The fields of the signature; others are skipped."""

    timestamp: str | int | None = None
    token: str | None = None
    signature: str | None = None
    parent_signature: str | None = msgspec.field(name="parent-signature", default=None)


class _SignedWebhook(Struct, gc=False):
    signature: _Signature


class _Body(Struct, gc=False):
    event: msgspec.Raw = msgspec.field(name="event-data", default_factory=msgspec.Raw)


_decode_signed = msgspec.json.Decoder(_SignedWebhook).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)


class TokenSignature(Struct, frozen=True):
    """The scheme. An event of a subaccount is signed with its own key and with the primary account's: one is enough."""

    unproven_bytes: ClassVar[int | None] = 5 * 1024 * 1024  # forms contain the returned mail
    options: ClassVar[tuple[Option[Any], ...]] = TIME_OPTIONS

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and age limits."""
        freshness = freshness_of(source, default_max_age_seconds=DEFAULT_MAX_AGE_SECONDS)
        return partial(self._refuse, secrets=source.secrets, freshness=freshness)

    def _refuse(
        self, request: WebhookRequest, now: datetime, *, secrets: Sequence[Secret], freshness: Freshness
    ) -> Refused | None:
        """None if a signature matches one of the source's keys and is recent."""
        signature = _signature(request)
        timestamp, token = _timestamp_text(signature.timestamp), signature.token
        signatures = [text for text in (signature.signature, signature.parent_signature) if text]
        if timestamp is None or not token or not signatures:
            return Refused(
                reason="missing_signature",
                detail="the body has no timestamp, token and signature, neither as JSON nor as a form: it is not "
                "Mailgun's, or a proxy has changed it",
            )
        signed_at = read_signed_time(timestamp)
        if signed_at is None:
            return bad_time(timestamp)
        signed = f"{timestamp}{token}".encode("utf-8", "surrogatepass")
        matches = [hmac_matches(text, signed, secrets) for text in signatures]
        if not any(matches):
            return bad_signature()
        return refuse_stale(signed_at, freshness, now=now)

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text can be a key."""
        return []


def seconds_remembered(source: Source) -> int:
    """How long a signature for this source must not be accepted for anything else."""
    # Another source with this key may accept it for longer than this one.
    return max(
        freshness_of(source, default_max_age_seconds=DEFAULT_MAX_AGE_SECONDS).seconds_of_use,
        DEFAULT_MAX_AGE_SECONDS + DEFAULT_MAX_AHEAD_SECONDS,
    )


def accept_once(request: WebhookRequest, *, used_for: bytes, window_seconds: int) -> Accepted:
    """The verdict on an authentic request, with the signed token and the content that it is used for.

    `used_for` is everything that will be read from the request.
    """
    signature = _signature(request)
    return Accepted(
        one_time_token=OneTimeToken(
            signed=f"mailgun {_timestamp_text(signature.timestamp)}{signature.token}",
            used_for=blake2b(used_for, digest_size=16).hexdigest(),
            window_seconds=window_seconds,
        )
    )


def signed_event(request: WebhookRequest) -> bytes:
    """The event in one spelling, so that the same event is the same bytes."""
    content_type = request.headers.get("content-type", "")
    written = request.body
    try:
        if is_form(request.body, content_type):
            return msgspec.json.encode(without_signature(read_form(request.body, content_type)), order="sorted")
        written = bytes(_decode_body(request.body).event)
        return msgspec.json.encode(decode_object(written, "Mailgun event-data"), order="sorted")
    except (UnreadablePayload, RecursionError):
        return written  # set aside when it is read


def _signature(request: WebhookRequest) -> _Signature:
    """The fields of the signature, and nothing else of the body; all None where it has none."""
    content_type = request.headers.get("content-type", "")
    try:
        if is_form(request.body, content_type):
            return _Signature(**read_signature(request.body, content_type))
        signature: _Signature = _decode_signed(request.body).signature
    except (*_UNDECODABLE, UnreadablePayload):
        return _Signature()
    return signature


def _timestamp_text(value: str | int | None) -> str | None:
    """The timestamp as Mailgun signed it: its text, or a whole number."""
    return str(value) if isinstance(value, int) else value or None

"""The scheme of most vendors: a header with an HMAC of the raw body, alone or with a time and an id."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Literal

from msgspec import Struct

from schemas.source import Secret, Source
from worker.providers.authentication.comparison import as_bytes, texts_match
from worker.providers.authentication.freshness import TIME_OPTIONS, Freshness, freshness_of, refuse_stale
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_template import BODY, ID, TIMESTAMP, read_template
from worker.providers.authentication.signed_time import TimeFormat, bad_time, read_signed_time
from worker.providers.authentication.source_options import Option
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

Digest = Literal["md5", "sha1", "sha256", "sha384", "sha512"]
Encoding = Literal["hex", "base64"]

# A vendor lists one signature for each secret in use. A request that lists thousands is an attack on our time.
_MOST_SIGNATURES = 16


def hmac_matches(
    signature: str, message: bytes, secrets: Sequence[Secret], *, digest: Digest = "sha256", encoding: Encoding = "hex"
) -> bool:
    """True if the signature is the HMAC of the message with one of the secrets, whose characters are the key."""
    if encoding == "hex":
        signature = signature.lower()
    matches = [
        texts_match(signature, encode_digest(hmac.digest(as_bytes(secret.reveal()), message, digest), encoding))
        for secret in secrets
        if secret.reveal()  # everybody knows the empty key
    ]
    return any(matches)


def encode_digest(digest: bytes, encoding: Encoding) -> str:
    """The digest as vendors write it into a header."""
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


class HmacSignature(Struct, frozen=True, kw_only=True, tag_field="scheme", tag="hmac", forbid_unknown_fields=True):
    """A header with an HMAC of the text `signed`; the key is the characters of the secret.

    The header may list several signatures, separated by commas, as vendors do while a secret changes: one that matches
    is enough. `signed` is a text with the fields {body}, {timestamp} and {id}; the latter two come from the headers
    named here. With a `timestamp_header`, whose time has the form `timestamp_format`, requests older than
    `max_age_seconds` are refused as replays; the source's option of that name overrides this default.
    """

    unproven_bytes: ClassVar[int | None] = None

    header: str  # in lower case
    digest: Digest = "sha256"
    encoding: Encoding = "hex"
    prefix: str = ""  # before the signature in the header: "sha256="
    signed: str = "{body}"
    timestamp_header: str = ""
    timestamp_format: TimeFormat = "seconds"
    id_header: str = ""
    max_age_seconds: int = 24 * 3600

    @property
    def options(self) -> tuple[Option[Any], ...]:
        """The age limits, if a time is signed."""
        return TIME_OPTIONS if self.timestamp_header else ()

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and age limits."""
        freshness = freshness_of(source, default_max_age_seconds=self.max_age_seconds)
        return partial(self._refuse, secrets=source.secrets, freshness=freshness)

    def _refuse(
        self, request: WebhookRequest, now: datetime, *, secrets: Sequence[Secret], freshness: Freshness
    ) -> Refused | None:
        """None if the signature matches one of the source's secrets, and is recent if a time is signed."""
        header = request.headers.get(self.header, "")
        timestamp = request.headers.get(self.timestamp_header, "") if self.timestamp_header else ""
        if not header or (self.timestamp_header and not timestamp):
            return missing_signature(self.timestamp_header if header else self.header)
        signed_at = read_signed_time(timestamp, self.timestamp_format) if self.timestamp_header else None
        if self.timestamp_header and signed_at is None:
            return bad_time(timestamp, self.timestamp_format)
        message = self.message(request)
        if message is None or not any([self._fits(one, message, secrets) for one in self._signatures_in(header)]):  # noqa: C419 - all are compared
            return bad_signature()
        if signed_at is None:
            return None
        return refuse_stale(signed_at, freshness, now=now)

    def _signatures_in(self, header: str) -> list[str]:
        """The signatures in the header, without their prefix."""
        texts = [header] if "," in self.prefix else header.split(",", _MOST_SIGNATURES)[:_MOST_SIGNATURES]
        return [text.strip()[len(self.prefix) :].strip() for text in texts if text.strip().startswith(self.prefix)]

    def _fits(self, signature: str, message: bytes, secrets: Sequence[Secret]) -> bool:
        return hmac_matches(signature, message, secrets, digest=self.digest, encoding=self.encoding)

    def message(self, request: WebhookRequest) -> bytes | None:
        """The signed bytes; None if they could be split into other fields as well."""
        if self.signed == "{body}":
            return request.body
        return read_template(self.signed).filled(
            {
                TIMESTAMP: as_bytes(request.headers.get(self.timestamp_header, "")),
                ID: as_bytes(request.headers.get(self.id_header, "")),
                BODY: request.body,
            }
        )

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text can be a key."""
        return []


def missing_signature(header: str) -> Refused:
    """The refusal of a request without a signature."""
    return Refused(
        reason="missing_signature",
        detail=f"the request has no header {header}: switch signing on for this webhook at the vendor, copy its key "
        "into the source's secrets, and make sure that no proxy takes the header away",
    )


def bad_signature() -> Refused:
    """The refusal of a request with a wrong signature."""
    return Refused(
        reason="bad_signature",
        detail="the signature matches no secret of this source: compare them with the signing key at the vendor, and "
        "make sure that no proxy changes the body",
    )


def body_hash(body: bytes, digest: Digest) -> str:
    """The body's hash in hex, for vendors that sign a hash of it."""
    return hashlib.new(digest, body, usedforsecurity=False).hexdigest()

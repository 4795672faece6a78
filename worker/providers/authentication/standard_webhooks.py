"""Standard Webhooks, the scheme of Svix and of vendors that follow it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the header
`webhook-signature` lists signatures, each `v1,` and base64 of the HMAC-SHA256 of `{id}.{timestamp}.{body}`, or `v1a,`
and base64 of an Ed25519 signature of the same. The secret is `whsec_` and base64 of the key, or `whpk_` and base64 of
the public key. Svix's own header names begin with `svix-`. The specification allows no full stop in an id or a time,
as that is what divides them in what is signed.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from schemas.source import Secret, Source
from worker.providers.authentication.comparison import as_bytes, texts_match
from worker.providers.authentication.encoded_key import decode_key
from worker.providers.authentication.freshness import TIME_OPTIONS, Freshness, freshness_of, refuse_stale
from worker.providers.authentication.hmac_signature import bad_signature, missing_signature
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_time import bad_time, read_signed_time
from worker.providers.authentication.source_options import Option
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one
PUBLIC_KEY_PREFIX = "whpk_"
# Headers with the event's id, which stays the same when it is sent again: what a parser keeps to make keys from.
ID_HEADERS = ("webhook-id", "svix-id")

_PREFIXES = ("webhook-", "svix-")
_VERSION_BEFORE_SECRET = "v1,"  # noqa: S105 - as some consoles show it: v1,whsec_…
_ED25519_KEY_BYTES = 32
# A vendor lists one signature for each secret in use. A request that lists thousands is an attack on our time.
_MOST_SIGNATURES = 16
_MOST_ED25519_SIGNATURES = 3  # each hashes the whole body anew
# The specification leaves the tolerance to the receiver; its libraries take five minutes. A retry is signed anew.
_DEFAULT_MAX_AGE_SECONDS = 300


class StandardWebhooks(
    Struct, frozen=True, kw_only=True, tag_field="scheme", tag="standard_webhooks", forbid_unknown_fields=True
):
    """The scheme."""

    unproven_bytes: ClassVar[int | None] = None
    options: ClassVar[tuple[Option[Any], ...]] = TIME_OPTIONS

    max_age_seconds: int = _DEFAULT_MAX_AGE_SECONDS
    raw_secret: bool = False  # True: the key is all characters of the secret, never base64

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and age limits."""
        freshness = freshness_of(source, default_max_age_seconds=self.max_age_seconds)
        return partial(self._refuse, secrets=source.secrets, freshness=freshness)

    def _refuse(
        self, request: WebhookRequest, now: datetime, *, secrets: Sequence[Secret], freshness: Freshness
    ) -> Refused | None:
        """None if one of the signatures matches one of the source's secrets and the time is recent."""
        headers = request.headers
        prefix = next((prefix for prefix in _PREFIXES if headers.get(f"{prefix}signature")), _PREFIXES[0])
        message_id, timestamp = headers.get(f"{prefix}id", ""), headers.get(f"{prefix}timestamp", "")
        signatures = headers.get(f"{prefix}signature", "")
        for name, value in (("signature", signatures), ("id", message_id), ("timestamp", timestamp)):
            if not value:
                return missing_signature(f"{prefix}{name}")
        signed_at = read_signed_time(timestamp)
        if signed_at is None:
            return bad_time(timestamp)
        if "." in message_id:
            return bad_signature()
        # Parsers make keys of any id in the headers: an id beside the signed one would make a replay look new.
        if any((headers.get(header) or message_id) != message_id for header in ID_HEADERS):
            return bad_signature()
        message = b".".join((as_bytes(message_id), as_bytes(timestamp), request.body))
        listed: dict[str, list[str]] = {"v1": [], "v1a": []}
        for versioned in islice(signatures.split(), _MOST_SIGNATURES):
            version, _, signature = versioned.partition(",")
            listed.get(version, []).append(signature)
        matches = [self._fits(listed, message, secret.reveal()) for secret in secrets]
        if not any(matches):
            return bad_signature()
        return refuse_stale(signed_at, freshness, now=now)

    def _fits(self, signatures: dict[str, list[str]], message: bytes, secret: str) -> bool:
        key = self.key(secret)
        if not key:
            return False
        if not self.raw_secret and PUBLIC_KEY_PREFIX in secret:
            tried = signatures["v1a"][:_MOST_ED25519_SIGNATURES]
            return any(_ed25519_fits(key, signature, message) for signature in tried)
        expected = base64.b64encode(hmac.digest(key, message, "sha256"))
        return any(texts_match(signature, expected) for signature in signatures["v1"])

    def key(self, secret: str) -> bytes | None:
        """The key's bytes; None if the secret does not have the form."""
        if self.raw_secret:
            return as_bytes(secret)
        text = secret.strip().removeprefix(_VERSION_BEFORE_SECRET)
        prefix = next((prefix for prefix in (SECRET_PREFIX, PUBLIC_KEY_PREFIX) if text.startswith(prefix)), "")
        key = decode_key(text[len(prefix) :])
        return None if prefix == PUBLIC_KEY_PREFIX and key is not None and len(key) != _ED25519_KEY_BYTES else key

    def check_secrets(self, source: Source) -> list[str]:
        """Each secret must be base64 after its prefix, or any text where it is used as it stands."""
        if any(secret.reveal() and not self.key(secret.reveal()) for secret in source.secrets):
            return ["one of the secrets is neither whsec_ nor whpk_ and base64: copy it whole, as the vendor shows it"]
        return []


def _ed25519_fits(key: bytes, signature: str, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True

"""HTTP Message Signatures (RFC 9421) with Ed25519, over a digest of the body (RFC 9530).

The header `signature-input` lists, with a label each, the signed parts of the request and the time; `signature` has
the signatures under the same labels. The body is signed through the header `content-digest`: both the digest and the
signature over it are checked here, as neither proves anything without the other.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, ClassVar

from msgspec import Struct

from schemas.source import Secret, Source
from worker.providers.authentication.comparison import as_bytes, texts_match
from worker.providers.authentication.freshness import (
    TIME_OPTIONS,
    Freshness,
    freshness_of,
    refuse_expired,
    refuse_stale,
)
from worker.providers.authentication.hmac_signature import bad_signature, missing_signature
from worker.providers.authentication.public_key import ed25519_matches, load_ed25519_key
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_time import bad_time, read_signed_time
from worker.providers.authentication.source_options import Option
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

DIGEST_HEADER = "content-digest"
INPUT_HEADER = "signature-input"
SIGNATURE_HEADER = "signature"

# A sender signs once, or twice while it changes keys. A request that lists thousands is an attack on our time.
_MOST_SIGNATURES = 4

_LABEL = r"([a-z*][a-z0-9_.*-]{0,60})"
_INPUTS = re.compile(_LABEL + r'=(\(([^()]{0,300})\)((?:;[a-z*][a-z0-9_.*-]*=(?:"[^"]{0,200}"|[0-9]{1,12}))*))')
_SIGNATURES = re.compile(_LABEL + r"=:([A-Za-z0-9+/=]{1,200}):")
_DIGESTS = re.compile(r"(sha-256|sha-512)=:([A-Za-z0-9+/=]{1,200}):")
_COMPONENT = re.compile(r'"([a-z0-9!#$%&\'*+.^_`|~-]+)"')
_PARAMETER = re.compile(r';([a-z*][a-z0-9_.*-]*)=("[^"]*"|[0-9]+)')
_ALGORITHM = '"ed25519"'
_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


class _Signature(Struct, frozen=True, kw_only=True):
    """One signature and its parameters."""

    components: tuple[str, ...]  # names of header fields
    parameters: str  # as in the header, which is how they are signed
    created: str
    expires: str | None
    signature: str


class HttpMessageSignature(Struct, frozen=True, kw_only=True):
    """Ed25519 over `content-digest`, and over other header fields that the sender covers.

    Signatures over derived components (`"@method"`) are not understood and prove nothing here. The secrets are public
    keys, in PEM or base64. Requests older than `max_age_seconds`, or after their own `expires`, are refused as replays.
    """

    unproven_bytes: ClassVar[int | None] = None
    options: ClassVar[tuple[Option[Any], ...]] = TIME_OPTIONS

    max_age_seconds: int = 300

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and age limits."""
        freshness = freshness_of(source, default_max_age_seconds=self.max_age_seconds)
        return partial(self._refuse, secrets=source.secrets, freshness=freshness)

    def _refuse(
        self, request: WebhookRequest, now: datetime, *, secrets: Sequence[Secret], freshness: Freshness
    ) -> Refused | None:
        """None if the digest is the body's and a recent signature over it matches one of the keys."""
        headers = request.headers
        for name in (DIGEST_HEADER, INPUT_HEADER, SIGNATURE_HEADER):
            if not headers.get(name):
                return missing_signature(name)
        if not _digest_fits(headers.get(DIGEST_HEADER, ""), request.body):
            return Refused(
                reason="bad_digest",
                detail="the header content-digest is not the body's: a proxy changes the body, or this is a forgery",
            )
        refused = None
        for signed in _signatures(headers):
            created = read_signed_time(signed.created)
            expires = created if signed.expires is None else read_signed_time(signed.expires)
            if created is None or expires is None:
                refused = bad_time(signed.created if created is None else signed.expires or "")
            elif ed25519_matches(signed.signature, _base(signed, request), secrets):
                if signed.expires is not None and (refused := refuse_expired(expires, freshness, now=now)):
                    return refused
                return refuse_stale(created, freshness, now=now)
        return refused or bad_signature()

    def check_secrets(self, source: Source) -> list[str]:
        """Each secret must be an Ed25519 public key."""
        if any(load_ed25519_key(secret.reveal()) is None for secret in source.secrets if secret.reveal()):
            return ["one of the secrets is no Ed25519 public key: copy it whole, in base64 or PEM"]
        return []


def _digest_fits(header: str, body: bytes) -> bool:
    """True if the header has a digest of a known algorithm, and all such digests match."""
    digests = _DIGESTS.findall(header)
    # However many the header lists, the body is hashed once by each algorithm.
    digests_of_body = {name: base64.b64encode(_HASHES[name](body).digest()) for name in {name for name, _ in digests}}
    fits = [texts_match(digest, digests_of_body[name]) for name, digest in digests]
    return bool(fits) and all(fits)


def _signatures(headers: Mapping[str, str]) -> list[_Signature]:
    """The signatures that cover the digest of the body, each with the parameters under its own label."""
    inputs, by_label = headers.get(INPUT_HEADER, ""), dict(_SIGNATURES.findall(headers.get(SIGNATURE_HEADER, "")))
    lines = []
    for label, written, listed, parameters in islice(_INPUTS.findall(inputs), _MOST_SIGNATURES):
        names = listed.split()
        components = tuple(match[1] for name in names if (match := _COMPONENT.fullmatch(name)))
        values = dict(_PARAMETER.findall(parameters))
        if (
            label in by_label
            and len(set(components)) == len(names)
            and DIGEST_HEADER in components
            and all(name in headers and "\n" not in headers[name] for name in components)  # a line for each is signed
            and "\n" not in written
            and values.get("alg", _ALGORITHM) == _ALGORITHM
        ):
            lines.append(
                _Signature(
                    components=components,
                    parameters=written,
                    created=values.get("created", ""),
                    expires=values.get("expires"),
                    signature=by_label[label],
                )
            )
    return lines


def _base(signed: _Signature, request: WebhookRequest) -> bytes:
    """RFC 9421, 2.5: a line for each component, then the parameters, without a newline at the end."""
    lines = [f'"{name}": {request.headers.get(name, "").strip()}' for name in signed.components]
    lines.append(f'"@signature-params": {signed.parameters}')
    return as_bytes("\n".join(lines))

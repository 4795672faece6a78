"""Signatures that are verified with a public key: ECDSA P-256, Ed25519 and RSA."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from msgspec import Struct

from schemas.source import Secret, Source
from worker.providers.authentication.comparison import as_bytes
from worker.providers.authentication.encoded_key import decode_key
from worker.providers.authentication.freshness import TIME_OPTIONS, Freshness, freshness_of, refuse_stale
from worker.providers.authentication.hmac_signature import bad_signature, missing_signature
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.signed_time import TimeFormat, bad_time, read_signed_time
from worker.providers.authentication.source_options import Option
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

_ED25519_KEY_BYTES = 32
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - SNS signature version 1 and Postal's older header are SHA-1
    "sha256": hashes.SHA256(),
}

_KEY_NAMES = {"ecdsa_p256": "P-256", "ed25519": "Ed25519", "rsa_sha256": "RSA", "rsa_sha1": "RSA"}


class PublicKeySignature(
    Struct, frozen=True, kw_only=True, tag_field="scheme", tag="public_key", forbid_unknown_fields=True
):
    """A header with base64 of the raw body's signature, for a public key that the vendor publishes.

    With a `timestamp_header`, its text and the `separator` come before the body in the signed bytes. Its time must have
    the form `timestamp_format`, and requests older than `max_age_seconds` are refused as replays; the source's
    option of that name overrides this default.
    """

    unproven_bytes: ClassVar[int | None] = None

    header: str  # in lower case
    algorithm: Literal["ecdsa_p256", "ed25519", "rsa_sha256", "rsa_sha1"]
    timestamp_header: str = ""
    timestamp_format: TimeFormat = "seconds"
    separator: str = ""
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
        """None if the signature matches one of the keys, and is recent where a time is signed."""
        signature = request.headers.get(self.header, "")
        timestamp = request.headers.get(self.timestamp_header, "") if self.timestamp_header else ""
        if not signature or (self.timestamp_header and not timestamp):
            return missing_signature(self.timestamp_header if signature else self.header)
        signed_at = read_signed_time(timestamp, self.timestamp_format) if self.timestamp_header else None
        if self.timestamp_header and signed_at is None:
            return bad_time(timestamp, self.timestamp_format)
        before = as_bytes(timestamp + self.separator) if timestamp else b""
        if not self._fits(signature, before + request.body, secrets):
            return bad_signature()
        if signed_at is None:
            return None
        return refuse_stale(signed_at, freshness, now=now)

    def _fits(self, signature: str, message: bytes, keys: Sequence[Secret]) -> bool:
        if self.algorithm == "ecdsa_p256":
            return ecdsa_p256_matches(signature, message, keys)
        if self.algorithm == "ed25519":
            return ed25519_matches(signature, message, keys)
        return rsa_key_matches(signature, message, keys, digest="sha1" if self.algorithm == "rsa_sha1" else "sha256")

    def check_secrets(self, source: Source) -> list[str]:
        """Each secret must be a public key of the right sort."""
        load = {"ecdsa_p256": load_p256_key, "ed25519": load_ed25519_key}.get(self.algorithm, load_rsa_key)
        if any(load(secret.reveal()) is None for secret in source.secrets if secret.reveal()):
            return [f"one of the secrets is no {_KEY_NAMES[self.algorithm]} public key, in PEM or base64"]
        return []


@lru_cache(maxsize=256)
def load_public_key(text: str) -> PublicKeyTypes | None:
    """The public key of any sort in base64 DER (SubjectPublicKeyInfo) or PEM; None if it is not a key."""
    try:
        if "-----BEGIN" in text:
            return load_pem_public_key(text.encode())
        return load_der_public_key(decode_key(text) or b"")
    except (ValueError, UnsupportedAlgorithm):
        return None


def load_rsa_key(text: str) -> rsa.RSAPublicKey | None:
    """The RSA public key in base64 DER (SubjectPublicKeyInfo) or PEM; None if it is not a key."""
    key = load_public_key(text)
    return key if isinstance(key, rsa.RSAPublicKey) else None


def load_ed25519_key(text: str) -> Ed25519PublicKey | None:
    """The Ed25519 public key in PEM, in base64 DER or as base64 of its bare 32 bytes; None if it is none."""
    key = load_public_key(text)
    if isinstance(key, Ed25519PublicKey):
        return key
    bare = decode_key(text)
    return Ed25519PublicKey.from_public_bytes(bare) if bare and len(bare) == _ED25519_KEY_BYTES else None


def rsa_key_matches(
    signature_base64: str, message: bytes, keys: Sequence[Secret], *, digest: Literal["sha1", "sha256"]
) -> bool:
    """True if base64 of an RSASSA-PKCS1-v1_5 signature matches the message with one of the public keys."""
    algorithm = _HASHES[digest]
    try:
        signature = base64.b64decode(signature_base64, validate=True)
    except (binascii.Error, ValueError):
        return False
    for secret in keys:
        key = load_rsa_key(secret.reveal())
        if key is None:
            continue
        try:
            key.verify(signature, message, padding.PKCS1v15(), algorithm)
        except InvalidSignature:
            continue
        return True
    return False


def ed25519_matches(signature_base64: str, message: bytes, keys: Sequence[Secret]) -> bool:
    """True if base64 of an Ed25519 signature matches the message with one of the public keys."""
    try:
        signature = base64.b64decode(signature_base64, validate=True)
    except (binascii.Error, ValueError):
        return False
    for secret in keys:
        key = load_ed25519_key(secret.reveal())
        if key is None:
            continue
        try:
            key.verify(signature, message)
        except InvalidSignature:
            continue
        return True
    return False


def load_p256_key(text: str) -> ec.EllipticCurvePublicKey | None:
    """The P-256 public key in base64 DER (SubjectPublicKeyInfo) or PEM; None if it is not a key."""
    key = load_public_key(text)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return None
    return key


def ecdsa_p256_matches(signature_base64: str, message: bytes, keys: Sequence[Secret]) -> bool:
    """True if base64 of a DER ECDSA SHA-256 signature matches the message with one of the public keys."""
    try:
        signature = base64.b64decode(signature_base64, validate=True)
    except (binascii.Error, ValueError):
        return False
    for secret in keys:
        key = load_p256_key(secret.reveal())
        if key is None:
            continue
        try:
            key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        return True
    return False


@lru_cache(maxsize=64)
def load_certificate(pem: bytes) -> x509.Certificate | None:
    """The X.509 certificate in PEM, None if it is none."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None


def rsa_pkcs1v15_matches(
    certificate_pem: bytes, signature_base64: str, message: bytes, *, digest: Literal["sha1", "sha256"]
) -> bool:
    """True if base64 of an RSASSA-PKCS1-v1_5 signature matches the message with the certificate's key.

    A certificate that cannot be read, or that holds no RSA key, fits nothing.
    """
    algorithm = _HASHES[digest]
    certificate = load_certificate(certificate_pem)
    if certificate is None:
        return False
    try:
        signature = base64.b64decode(signature_base64, validate=True)
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(signature, message, padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True

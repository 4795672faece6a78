"""How webhooks prove where they come from: the schemes that several vendors share. Pure: no clock, no I/O.

Secrets are compared in constant time, and all of a source's secrets are tried each time, so that neither a
guess nor the number of configured secrets shows in how long an answer takes.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from schemas.source import Secret, Source
from worker.providers.provider import Refused, WebhookRequest

OPEN = "none"  # Source.authentication of a source that anybody may post to, said in so many words

_BASIC = "basic "
_CHALLENGE = 'Basic realm="bouncekeeper", charset="UTF-8"'

_Networks = tuple[IPv4Network | IPv6Network, ...]


def is_open(source: Source) -> bool:
    """True when the operator has said `authentication = "none"`; an empty setting never means that."""
    return source.authentication == OPEN


def refuse_address(request: WebhookRequest, source: Source) -> Refused | None:
    """None when the caller's address may call this source; a source without a list may be called by all."""
    if not source.allowed_addresses:
        return None
    try:
        address = ip_address(request.remote_address)
    except ValueError:
        return Refused(
            reason="address_unknown",
            detail=f"the caller's address {request.remote_address[:60]!r} cannot be read, and source "
            f"{source.name!r} lists allowed_addresses: check what the proxy before the receiver hands on",
            http_status=403,
        )
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in _networks(source.allowed_addresses)):
        return None
    return Refused(
        reason="address_not_allowed",
        detail=f"{address} is in none of the allowed_addresses of source {source.name!r}",
        http_status=403,
    )


@lru_cache(maxsize=256)
def _networks(allowed: tuple[str, ...]) -> _Networks:
    # One that cannot be read lets nobody in: check_common reports it when the configuration is read.
    return tuple(network for text in allowed if (network := _network(text)) is not None)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def check_common(
    source: Source, *, schemes: Iterable[str] = ("",), secret_help: str = "", secret_required: bool = True
) -> list[str]:
    """What is wrong with the parts of a source that every provider shares, each with its remedy.

    `schemes` are the values of `authentication` that the provider knows besides "none". A provider whose
    signatures are verified with the vendor's published keys needs no secret of the operator's.
    """
    problems = []
    known = [*schemes, OPEN]
    if source.authentication not in known:
        offered = ", ".join(f'"{scheme}"' for scheme in known)
        problems.append(
            f'authentication = "{source.authentication}" is not known to {source.provider}: use one of {offered}'
        )
    elif secret_required and not source.secrets and not is_open(source):
        problems.append(
            f'no secret: {secret_help or "add one to secrets"}; or say authentication = "none" '
            "when anybody may post to this source"
        )
    if any(not secret.reveal() for secret in source.secrets):
        problems.append("one of the secrets is empty: take it out or fill it in")
    problems.extend(
        f"allowed_addresses: {text!r} is no IP address or network: write it as 192.0.2.0/24"
        for text in source.allowed_addresses
        if _network(text) is None
    )
    return problems


def texts_match(given: str | bytes, expected: str | bytes) -> bool:
    """True when both are the same bytes; takes the same time wherever they differ."""
    return hmac.compare_digest(_bytes(given), _bytes(expected))


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def hmac_sha256_hex_matches(given_hex: str, message: bytes, secrets: Sequence[Secret]) -> bool:
    """True when `given_hex` is the HMAC-SHA256 of the message under one of the secrets, in hex."""
    given = given_hex.lower()
    matches = [
        texts_match(given, hmac.new(_bytes(secret.reveal()), message, sha256).hexdigest())
        for secret in secrets
        if secret.reveal()  # an empty key is one that anybody knows
    ]
    return any(matches)


def refuse_basic_auth(request: WebhookRequest, secrets: Sequence[Secret]) -> Refused | None:
    """None when the request carries one of the secrets, each written `user:password` (RFC 7617)."""
    header = request.headers.get("authorization", "")
    if not header:
        return Refused(
            reason="missing_credentials",
            detail="the request has no Authorization header: put user and password into the webhook's URL",
            challenge=_CHALLENGE,
        )
    credentials = _basic_credentials(header)
    if credentials is None:
        return Refused(
            reason="unreadable_credentials",
            detail="the Authorization header is not Basic with base64 of user:password",
            challenge=_CHALLENGE,
        )
    # The user ends at the first colon, the password may hold more of them.
    user, _, password = credentials.partition(b":")
    matches = []
    for secret in secrets:
        expected_user, colon, expected_password = _bytes(secret.reveal()).partition(b":")
        same_user = texts_match(user, expected_user)
        same_password = texts_match(password, expected_password)
        matches.append(bool(colon) and bool(expected_password) and same_user and same_password)
    if any(matches):
        return None
    return Refused(
        reason="bad_credentials",
        detail="user or password is none of this source's secrets: compare them with the webhook's URL",
        challenge=_CHALLENGE,
    )


def _basic_credentials(header: str) -> bytes | None:
    if header[: len(_BASIC)].lower() != _BASIC:
        return None
    try:
        decoded = base64.b64decode(header[len(_BASIC) :].strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if b":" in decoded else None


@lru_cache(maxsize=256)
def load_p256_key(text: str) -> ec.EllipticCurvePublicKey | None:
    """The P-256 public key in base64 DER (SubjectPublicKeyInfo) or PEM; None when it is none."""
    try:
        if "-----BEGIN" in text:
            key = load_pem_public_key(text.encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return None
    return key


def ecdsa_p256_matches(signature_base64: str, message: bytes, keys: Sequence[Secret]) -> bool:
    """True when base64 of a DER ECDSA SHA-256 signature fits the message under one of the public keys."""
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
    """The X.509 certificate in PEM, None when it is none."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        return None


def rsa_pkcs1v15_matches(certificate_pem: bytes, signature_base64: str, message: bytes, *, digest: str) -> bool:
    """True when base64 of an RSASSA-PKCS1-v1_5 signature fits the message under the certificate's key.

    `digest` is "sha1" or "sha256". A certificate that cannot be read, or that holds no RSA key, fits nothing.
    """
    algorithm: hashes.HashAlgorithm = hashes.SHA256() if digest == "sha256" else hashes.SHA1()  # noqa: S303 - SNS signature version 1 is SHA-1
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

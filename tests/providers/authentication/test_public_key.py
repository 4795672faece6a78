"""A signature under a published key lets in who has its private half: ECDSA P-256, Ed25519, RSA."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from schemas.source import Secret, Source
from tests.providers.certificates import certificate_of
from worker.providers.authentication.public_key import (
    PublicKeySignature,
    ecdsa_p256_matches,
    ed25519_matches,
    load_ed25519_key,
    load_p256_key,
    load_rsa_key,
    rsa_key_matches,
    rsa_pkcs1v15_matches,
)
from worker.providers.webhook_request import WebhookRequest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
_FORM = serialization.PublicFormat.SubjectPublicKeyInfo


def public_text(key: PublicKeyTypes) -> str:
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, _FORM)).decode()


def public_pem(key: PublicKeyTypes) -> str:
    return key.public_bytes(serialization.Encoding.PEM, _FORM).decode()


def sha(digest: Literal["sha1", "sha256"]) -> hashes.HashAlgorithm:
    return hashes.SHA1() if digest == "sha1" else hashes.SHA256()  # noqa: S303 - SNS signature version 1, older Postal


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


# -- ECDSA


def test_an_ecdsa_signature_fits_under_any_of_the_keys() -> None:
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    keys = [Secret(public_text(other.public_key())), Secret(public_text(key.public_key()))]
    signature = base64.b64encode(key.sign(b"message", ec.ECDSA(hashes.SHA256()))).decode()
    assert ecdsa_p256_matches(signature, b"message", keys)
    assert not ecdsa_p256_matches(signature, b"message!", keys)
    assert not ecdsa_p256_matches(signature, b"message", keys[:1])
    assert not ecdsa_p256_matches(signature, b"message", [Secret("no key"), Secret("")])
    assert not ecdsa_p256_matches("not base64!", b"message", keys)
    assert not ecdsa_p256_matches("", b"message", keys)


def test_only_p256_keys_are_taken_in_der_or_pem() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert load_p256_key(public_pem(key)) == key
    text = public_text(key)
    assert load_p256_key(f" {text[:40]}\n{text[40:]} ") == key
    assert load_p256_key(public_text(ec.generate_private_key(ec.SECP384R1()).public_key())) is None
    assert load_p256_key(public_text(ed25519.Ed25519PrivateKey.generate().public_key())) is None
    assert load_p256_key("") is None


# -- Ed25519


def test_an_ed25519_signature_fits_under_any_of_the_keys() -> None:
    key, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    keys = [Secret(public_text(other.public_key())), Secret(public_text(key.public_key()))]
    signature = base64.b64encode(key.sign(b"message")).decode()
    assert ed25519_matches(signature, b"message", keys)
    assert not ed25519_matches(signature, b"message!", keys)
    assert not ed25519_matches(signature, b"message", keys[:1])
    assert not ed25519_matches(signature, b"message", [Secret("no key"), Secret("")])
    assert not ed25519_matches("not base64!", b"message", keys)
    assert not ed25519_matches("", b"message", keys)


def test_an_ed25519_key_is_taken_in_der_in_pem_and_bare() -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    bare = base64.b64encode(key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)).decode()
    for text in (public_text(key), public_pem(key), bare):
        assert load_ed25519_key(text) == key
    assert load_ed25519_key(bare[4:]) is None
    assert load_ed25519_key(public_text(ec.generate_private_key(ec.SECP256R1()).public_key())) is None
    assert load_ed25519_key("") is None


# -- RSA


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_an_rsa_signature_fits_under_any_of_the_keys(
    rsa_key: rsa.RSAPrivateKey, digest: Literal["sha1", "sha256"]
) -> None:
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    keys = [Secret(public_text(other.public_key())), Secret(public_pem(rsa_key.public_key()))]
    signature = base64.b64encode(rsa_key.sign(b"message", padding.PKCS1v15(), sha(digest))).decode()
    assert rsa_key_matches(signature, b"message", keys, digest=digest)
    assert not rsa_key_matches(signature, b"message!", keys, digest=digest)
    assert not rsa_key_matches(signature, b"message", keys[:1], digest=digest)
    assert not rsa_key_matches(signature, b"message", [Secret("no key"), Secret("")], digest=digest)
    assert not rsa_key_matches("not base64!", b"message", keys, digest=digest)
    assert not rsa_key_matches(signature, b"message", keys, digest="sha256" if digest == "sha1" else "sha1")


def test_only_rsa_keys_are_taken_as_such(rsa_key: rsa.RSAPrivateKey) -> None:
    assert load_rsa_key(public_text(rsa_key.public_key())) == rsa_key.public_key()
    assert load_rsa_key(public_text(ec.generate_private_key(ec.SECP256R1()).public_key())) is None
    assert load_rsa_key("not base64!") is None


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_an_rsa_signature_fits_under_its_certificate_and_digest(
    rsa_key: rsa.RSAPrivateKey, digest: Literal["sha1", "sha256"]
) -> None:
    signature = base64.b64encode(rsa_key.sign(b"message", padding.PKCS1v15(), sha(digest))).decode()
    pem = certificate_of(rsa_key)
    assert rsa_pkcs1v15_matches(pem, signature, b"message", digest=digest)
    assert not rsa_pkcs1v15_matches(pem, signature, b"message!", digest=digest)
    assert not rsa_pkcs1v15_matches(pem, "not base64!", b"message", digest=digest)
    other: Literal["sha1", "sha256"] = "sha256" if digest == "sha1" else "sha1"
    assert not rsa_pkcs1v15_matches(pem, signature, b"message", digest=other)


def test_a_certificate_that_is_none_or_holds_no_rsa_key_fits_nothing() -> None:
    assert not rsa_pkcs1v15_matches(b"no certificate", "c2ln", b"message", digest="sha256")
    elliptic = certificate_of(ec.generate_private_key(ec.SECP256R1()))
    assert not rsa_pkcs1v15_matches(elliptic, "c2ln", b"message", digest="sha256")


# -- the scheme

Algorithm = Literal["ecdsa_p256", "ed25519", "rsa_sha256", "rsa_sha1"]


def signed(algorithm: Algorithm, message: bytes) -> tuple[str, str]:
    """A signature in base64 and the public key that it fits under."""
    if algorithm == "ecdsa_p256":
        elliptic = ec.generate_private_key(ec.SECP256R1())
        signature, public = elliptic.sign(message, ec.ECDSA(hashes.SHA256())), public_text(elliptic.public_key())
    elif algorithm == "ed25519":
        edwards = ed25519.Ed25519PrivateKey.generate()
        signature, public = edwards.sign(message), public_text(edwards.public_key())
    else:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        digest = sha("sha1" if algorithm == "rsa_sha1" else "sha256")
        signature, public = key.sign(message, padding.PKCS1v15(), digest), public_text(key.public_key())
    return base64.b64encode(signature).decode(), public


@pytest.mark.parametrize("algorithm", ["ecdsa_p256", "ed25519", "rsa_sha256", "rsa_sha1"])
def test_the_scheme_takes_a_signature_of_the_body_in_its_header(algorithm: Algorithm) -> None:
    scheme = PublicKeySignature(header="x-signature", algorithm=algorithm)
    signature, public = signed(algorithm, b"body")
    source = Source(name="s", provider="p", secrets=(Secret(public),))

    def outcome(body: bytes, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = WebhookRequest(
            method="POST", path="/", query={}, headers=named, body=body, remote_address="192.0.2.10"
        )
        refused = scheme.bind(source)(request, NOW)
        return "accepted" if refused is None else refused.reason

    assert outcome(b"body", x_signature=signature) == "accepted"
    assert outcome(b"Body", x_signature=signature) == "bad_signature"
    assert outcome(b"body", x_signature=signature[4:]) == "bad_signature"
    assert outcome(b"body", x_signature="") == "missing_signature"
    assert outcome(b"body", x_other=signature) == "missing_signature"
    assert scheme.check_secrets(source) == []


@pytest.mark.parametrize(
    ("algorithm", "called", "other"),
    [("ecdsa_p256", "P-256", "ed25519"), ("ed25519", "Ed25519", "rsa_sha256"), ("rsa_sha1", "RSA", "ecdsa_p256")],
)
def test_a_key_of_another_sort_is_reported(algorithm: Algorithm, called: str, other: Algorithm) -> None:
    scheme = PublicKeySignature(header="x-signature", algorithm=algorithm)
    for text in (signed(other, b"")[1], "no key"):
        (problem,) = scheme.check_secrets(Source(name="s", provider="p", secrets=(Secret(text),)))
        assert called in problem
        assert text not in problem


def test_where_a_time_is_signed_it_stands_before_the_body_and_must_be_recent() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    scheme = PublicKeySignature(
        header="x-signature", algorithm="ecdsa_p256", timestamp_header="x-time", max_age_seconds=60
    )
    source = Source(name="s", provider="pigeon", secrets=(Secret(public_text(key.public_key())),))

    def reason(timestamp: str, *, signed: str | None = None, now: datetime = NOW) -> str | None:
        proof = key.sign((timestamp if signed is None else signed).encode() + b"{}", ec.ECDSA(hashes.SHA256()))
        headers = {"x-signature": base64.b64encode(proof).decode(), "x-time": timestamp}
        request = WebhookRequest(
            method="POST", path="/", query={}, headers=headers, body=b"{}", remote_address="192.0.2.10"
        )
        refused = scheme.bind(source)(request, now)
        return refused.reason if refused else None

    seconds = str(int(NOW.timestamp()))
    assert reason(seconds) is None
    assert reason(NOW.isoformat()) == "bad_timestamp"
    assert reason(seconds, signed="1") == "bad_signature"
    assert reason("", signed="") == "missing_signature"
    assert reason(seconds, now=NOW + timedelta(seconds=61)) == "stale"
    assert reason("soon") == "bad_timestamp"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (str(int(NOW.timestamp())), "accepted"),
        (str(int(NOW.timestamp()) - 3_600), "accepted"),
        (str(int(NOW.timestamp()) - 3_601), "stale"),
        (f"{int(NOW.timestamp())}000", "bad_timestamp"),
        (NOW.isoformat(), "bad_timestamp"),
        ("yesterday", "bad_timestamp"),
        ("", "missing_signature"),
    ],
)
def test_a_time_that_is_signed_with_the_body_must_be_recent(written: str, expected: str) -> None:
    scheme = PublicKeySignature(
        header="x-signature", algorithm="ed25519", timestamp_header="x-time", max_age_seconds=3_600
    )
    signature, public = signed("ed25519", written.encode() + b"body")
    request = WebhookRequest(
        method="POST",
        path="/",
        query={},
        headers={"x-signature": signature, "x-time": written},
        body=b"body",
        remote_address="192.0.2.10",
    )
    source = Source(name="s", provider="p", secrets=(Secret(public),))
    refused = scheme.bind(source)(request, NOW)
    assert (refused.reason if refused else "accepted") == expected
    later = msgspec.structs.replace(
        request, headers={"x-signature": signature, "x-time": str(int(NOW.timestamp()) + 1)}
    )
    refused = scheme.bind(source)(later, NOW)
    assert refused is not None
    assert refused.reason == "bad_signature"


def test_another_form_of_time_is_read_where_the_scheme_names_it() -> None:
    scheme = PublicKeySignature(
        header="x-signature", algorithm="ed25519", timestamp_header="x-time", timestamp_format="rfc3339"
    )
    for written, expected in ((NOW.isoformat(), None), (str(int(NOW.timestamp())), "bad_timestamp")):
        signature, public = signed("ed25519", written.encode() + b"body")
        headers = {"x-signature": signature, "x-time": written}
        request = WebhookRequest(
            method="POST", path="/", query={}, headers=headers, body=b"body", remote_address="192.0.2.10"
        )
        refused = scheme.bind(Source(name="s", provider="p", secrets=(Secret(public),)))(request, NOW)
        assert (refused.reason if refused else None) == expected


def test_a_key_without_its_padding_is_the_same_key() -> None:
    signature, public = signed("ed25519", b"body")
    bare = base64.b64encode(base64.b64decode(public)[-32:]).decode()
    for text in (public, public.rstrip("="), bare, bare.rstrip("=")):
        assert ed25519_matches(signature, b"body", [Secret(text)])


def test_what_stands_between_time_and_body_is_signed_with_them() -> None:
    written = str(int(NOW.timestamp()))
    signature, public = signed("ed25519", f"{written}|body".encode())
    request = WebhookRequest(
        method="POST",
        path="/",
        query={},
        headers={"x-signature": signature, "x-time": written},
        body=b"body",
        remote_address="192.0.2.10",
    )
    source = Source(name="s", provider="p", secrets=(Secret(public),))
    scheme = PublicKeySignature(header="x-signature", algorithm="ed25519", timestamp_header="x-time", separator="|")
    assert scheme.bind(source)(request, NOW) is None
    without = PublicKeySignature(header="x-signature", algorithm="ed25519", timestamp_header="x-time")
    assert without.bind(source)(request, NOW) is not None

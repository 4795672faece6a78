"""The shared authentication schemes let in who has the key, and nobody else."""

import base64
import hmac
from hashlib import sha256
from typing import Literal

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from schemas.source import Secret, Source
from tests.providers.certificates import certificate_of
from worker.providers.authentication.callers_address import refuse_address
from worker.providers.authentication.credentials import refuse_basic_auth
from worker.providers.authentication.hmac_signature import hmac_matches
from worker.providers.authentication.public_key import ecdsa_p256_matches, load_p256_key, rsa_pkcs1v15_matches
from worker.providers.authentication.scheme import check_common, is_open
from worker.providers.provider import WebhookRequest

REQUEST = WebhookRequest(method="POST", path="/", query={}, headers={}, body=b"body", remote_address="192.0.2.10")


def with_basic(text: str, scheme: str = "Basic") -> WebhookRequest:
    header = f"{scheme} {base64.b64encode(text.encode()).decode()}"
    return msgspec.structs.replace(REQUEST, headers={"authorization": header})


def public_text(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode()


# -- HMAC


def test_an_hmac_fits_under_any_of_the_secrets() -> None:
    digest = hmac.new(b"new", b"message", sha256).hexdigest()
    assert hmac_matches(digest, b"message", [Secret("old"), Secret("new")])
    assert hmac_matches(digest.upper(), b"message", [Secret("new")])
    assert not hmac_matches(digest, b"other message", [Secret("new")])
    assert not hmac_matches(digest, b"message", [Secret("old")])
    assert not hmac_matches(digest, b"message", [])


def test_an_empty_secret_fits_nothing() -> None:
    digest = hmac.new(b"", b"message", sha256).hexdigest()
    assert not hmac_matches(digest, b"message", [Secret("")])


@pytest.mark.parametrize("odd", ["", "ß", "\ud800", "0" * 63])
def test_an_odd_hmac_is_no_error(odd: str) -> None:
    assert not hmac_matches(odd, b"message", [Secret("key")])


# -- basic authentication


def test_user_and_password_are_those_of_one_secret() -> None:
    secrets = [Secret("me:old"), Secret("me:new:with:colons")]
    assert refuse_basic_auth(with_basic("me:old"), secrets) is None
    assert refuse_basic_auth(with_basic("me:new:with:colons"), secrets) is None
    assert refuse_basic_auth(with_basic("me:old", "bAsIc"), secrets) is None


@pytest.mark.parametrize("wrong", ["me:olD", "Me:old", "me:", ":old", ":", "me:old:", "m:e:old"])
def test_anything_else_is_refused_with_a_challenge(wrong: str) -> None:
    refused = refuse_basic_auth(with_basic(wrong), [Secret("me:old")])
    assert refused is not None
    assert refused.http_status == 401
    assert refused.challenge is not None
    assert refused.challenge.startswith("Basic ")


def test_a_secret_without_a_password_opens_nothing() -> None:
    assert refuse_basic_auth(with_basic("me:"), [Secret("me:")]) is not None
    assert refuse_basic_auth(with_basic("me:"), [Secret("me")]) is not None


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!", "Bearer abc", "Basic bWU=", "Basic ☃"])
def test_a_header_that_is_no_basic_authentication_is_refused(header: str) -> None:
    request = msgspec.structs.replace(REQUEST, headers={"authorization": header})
    assert refuse_basic_auth(request, [Secret("me:old")]) is not None


def test_a_password_beyond_ascii_is_compared_as_utf8() -> None:
    assert refuse_basic_auth(with_basic("jürgen:pässwort"), [Secret("jürgen:pässwort")]) is None


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
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert load_p256_key(pem.decode()) == key
    text = public_text(key)
    assert load_p256_key(f" {text[:40]}\n{text[40:]} ") == key
    assert load_p256_key(public_text(ec.generate_private_key(ec.SECP384R1()).public_key())) is None
    assert load_p256_key(public_text(ed25519.Ed25519PrivateKey.generate().public_key())) is None
    assert load_p256_key("") is None


# -- RSA


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_an_rsa_signature_fits_under_its_certificate_and_digest(digest: Literal["sha1", "sha256"]) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    algorithm: hashes.HashAlgorithm = hashes.SHA1() if digest == "sha1" else hashes.SHA256()  # noqa: S303 - SNS signature version 1
    signature = base64.b64encode(key.sign(b"message", padding.PKCS1v15(), algorithm)).decode()
    pem = certificate_of(key)
    assert rsa_pkcs1v15_matches(pem, signature, b"message", digest=digest)
    assert not rsa_pkcs1v15_matches(pem, signature, b"message!", digest=digest)
    assert not rsa_pkcs1v15_matches(pem, "not base64!", b"message", digest=digest)
    other: Literal["sha1", "sha256"] = "sha256" if digest == "sha1" else "sha1"
    assert not rsa_pkcs1v15_matches(pem, signature, b"message", digest=other)


def test_a_certificate_that_is_none_or_holds_no_rsa_key_fits_nothing() -> None:
    assert not rsa_pkcs1v15_matches(b"no certificate", "c2ln", b"message", digest="sha256")
    elliptic = certificate_of(ec.generate_private_key(ec.SECP256R1()))
    assert not rsa_pkcs1v15_matches(elliptic, "c2ln", b"message", digest="sha256")


# -- addresses and the source's configuration


@pytest.mark.parametrize(
    ("address", "allowed", "let_in"),
    [
        ("192.0.2.10", (), True),
        ("192.0.2.10", ("192.0.2.0/24",), True),
        ("192.0.2.10", ("198.51.100.0/24", "192.0.2.10"), True),
        ("::ffff:192.0.2.10", ("192.0.2.0/24",), True),
        ("2001:db8::1", ("2001:db8::/32",), True),
        ("192.0.2.10", ("2001:db8::/32",), False),
        ("203.0.113.5", ("192.0.2.0/24",), False),
        ("203.0.113.5", ("not a network",), False),
        ("", ("192.0.2.0/24",), False),
        ("unix:", ("0.0.0.0/0",), False),
    ],
)
def test_a_callers_address_is_let_in_when_a_network_holds_it(
    address: str, allowed: tuple[str, ...], let_in: object
) -> None:
    request = msgspec.structs.replace(REQUEST, remote_address=address)
    refused = refuse_address(request, Source(name="s", provider="p", allowed_addresses=allowed))
    assert (refused is None) is let_in
    assert refused is None or refused.http_status == 403


def test_only_the_word_none_opens_a_source() -> None:
    assert is_open(Source(name="s", provider="p", authentication="none"))
    assert not is_open(Source(name="s", provider="p"))
    assert not is_open(Source(name="s", provider="p", authentication="None"))


def test_a_source_without_a_secret_is_reported_unless_it_is_open() -> None:
    (problem,) = check_common(Source(name="s", provider="p"))
    assert 'authentication = "none"' in problem
    assert check_common(Source(name="s", provider="p", authentication="none")) == []
    assert check_common(Source(name="s", provider="p", secrets=(Secret("s3cret"),))) == []


def test_a_network_that_is_none_is_reported() -> None:
    source = Source(name="s", provider="p", secrets=(Secret("x"),), allowed_addresses=("192.0.2.0/99",))
    (problem,) = check_common(source)
    assert "192.0.2.0/99" in problem

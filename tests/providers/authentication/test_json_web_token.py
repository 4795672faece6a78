"""Bearer tokens of the operator's own identity provider."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.source import Secret, Source
from worker.providers.authentication.json_web_token import JsonWebToken
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SHARED = "a shared key that is long enough for HMAC with SHA-256"
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}


def public_pem(key: Any) -> str:
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()


def token(key: Any = SHARED, algorithm: str = "HS256", **claims: Any) -> str:
    told = {"exp": NOW + timedelta(hours=1), "iss": "https://id.example.org", "aud": "bouncekeeper", **claims}
    return jwt.encode({name: value for name, value in told.items() if value is not None}, key, algorithm=algorithm)


def refusal(shown: str | None, *secrets: str, now: datetime = NOW, **options: Any) -> Refused | None:
    request = WebhookRequest(
        method="POST",
        path="/webhooks/s",
        query={},
        headers={} if shown is None else {"authorization": shown},
        body=b"[]",
        remote_address="192.0.2.10",
    )
    source = Source(
        name="s", provider="sendgrid", secrets=tuple(Secret(text) for text in secrets or (SHARED,)), options=options
    )
    return JsonWebToken().bind(source)(request, now)


def reason(shown: str | None, *secrets: str, now: datetime = NOW, **options: Any) -> str:
    refused = refusal(shown, *secrets, now=now, **options)
    assert refused is not None
    assert refused.http_status == 401
    assert refused.challenge
    return refused.reason


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_token_of_each_sort_of_key_is_taken(algorithm: str) -> None:
    key = KEYS[algorithm]
    assert refusal(f"Bearer {token(key, algorithm)}", public_pem(key)) is None
    others = [public_pem(other) for name, other in KEYS.items() if name != algorithm]
    assert reason(f"Bearer {token(key, algorithm)}", *others) == "bad_credentials"
    assert refusal(f"bearer {token(key, algorithm)}", *others, public_pem(key)) is None


def test_a_shared_key_is_one_too() -> None:
    assert refusal(f"Bearer {token()}") is None
    assert reason(f"Bearer {token('another key that is long enough for HMAC')}") == "bad_credentials"


def test_a_public_key_never_passes_for_a_shared_one() -> None:
    # Anybody knows the public key: a token that is signed with its text by HMAC would be anybody's.
    pem = public_pem(KEYS["RS256"])
    claims = token().split(".")[1]
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    proof = hmac.digest(pem.encode(), f"{head}.{claims}".encode(), "sha256")
    forged = f"{head}.{claims}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"
    assert reason(f"Bearer {forged}", pem) == "bad_credentials"


@pytest.mark.parametrize(
    "shown", [None, "", "Basic eDp5", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Bearer é.é.é", "Bearer ..."]
)
def test_what_is_no_token_is_refused(shown: str | None) -> None:
    assert reason(shown) in {"missing_credentials", "bad_credentials"}


def test_a_token_without_a_signature_is_refused() -> None:
    unsigned = jwt.encode({"exp": NOW + timedelta(hours=1)}, "", algorithm="none")
    assert reason(f"Bearer {unsigned}") == "bad_credentials"


def test_a_token_holds_for_its_time_with_a_minute_of_slack() -> None:
    shown = f"Bearer {token(nbf=NOW - timedelta(hours=1))}"
    assert refusal(shown, now=NOW + timedelta(minutes=60, seconds=59)) is None
    assert reason(shown, now=NOW + timedelta(minutes=61)) == "stale"
    assert refusal(shown, now=NOW - timedelta(minutes=61)) is None
    assert reason(shown, now=NOW - timedelta(minutes=62)) == "stale"


@pytest.mark.parametrize("claims", [{"exp": None}, {"exp": "soon"}, {"exp": 1e300}, {"nbf": "soon"}])
def test_a_token_that_does_not_say_when_it_ends_is_refused(claims: dict[str, Any]) -> None:
    assert reason(f"Bearer {token(**claims)}") in {"stale", "bad_credentials"}


def test_the_times_of_a_token_are_numbers_of_seconds_and_nothing_else() -> None:
    ends = int((NOW + timedelta(hours=1)).timestamp())
    for exp, accepted in ((ends, True), (ends + 0.5, True), (ends * 1_000, False), (str(ends), False), (True, False)):
        shown = f"Bearer {jwt.encode({'exp': exp}, SHARED, algorithm='HS256')}"
        assert (refusal(shown) is None) is accepted, exp
    shown = f"Bearer {jwt.encode({'exp': ends, 'nbf': str(ends - 7_200)}, SHARED, algorithm='HS256')}"
    assert reason(shown) in {"stale", "bad_credentials"}


def test_issuer_and_audience_count_where_they_are_configured() -> None:
    assert refusal(f"Bearer {token()}", issuer="https://id.example.org", audience="bouncekeeper") is None
    assert refusal(f"Bearer {token(aud=['a', 'bouncekeeper'])}", audience="bouncekeeper") is None
    for claims in ({"iss": "https://id.example.com"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"aud": [1]}):
        shown = f"Bearer {token(**claims)}"
        assert reason(shown, issuer="https://id.example.org", audience="bouncekeeper") == "bad_credentials"
        assert refusal(shown) is None


def test_an_empty_secret_opens_nothing() -> None:
    assert reason(f"Bearer {token()}", "") == "bad_credentials"


def test_what_is_wrong_in_a_source_is_reported() -> None:
    def problems(*secrets: str, **options: Any) -> list[str]:
        source = Source(name="s", provider="sendgrid", secrets=tuple(Secret(text) for text in secrets), options=options)
        return JsonWebToken().check_secrets(source)

    assert problems(SHARED, public_pem(KEYS["ES256"]), issuer="i", audience="a") == []
    (short,) = problems("hunter2")
    assert "32 characters" in short
    assert "hunter2" not in short
    assert len(problems(SHARED, issuer=3, audience="")) == 2


def test_a_published_key_set_is_taken_whole() -> None:
    keys = [
        json.loads(jwt.get_algorithm_by_name(algorithm).to_jwk(KEYS[algorithm].public_key()))
        for algorithm in ("RS256", "ES256", "EdDSA")
    ]
    published = json.dumps({"keys": [*keys, {"kty": "oct", "k": "c2VjcmV0"}]})
    for algorithm in ("RS256", "ES256", "EdDSA"):
        assert refusal(f"Bearer {token(KEYS[algorithm], algorithm)}", published) is None
    assert reason(f"Bearer {token(KEYS['ES384'], 'ES384')}", published) == "bad_credentials"
    assert reason(f"Bearer {token()}", published) == "bad_credentials"
    assert JsonWebToken().check_secrets(Source(name="s", provider="p", secrets=(Secret(published),))) == []


@pytest.mark.parametrize(
    "broken", ["{", "{}", '{"keys": []}', '{"keys": 3}', '{"keys": [{"kty": "RSA"}]}', '{"keys": [3]}']
)
def test_a_broken_key_set_opens_nothing_and_is_reported(broken: str) -> None:
    assert reason(f"Bearer {token()}", broken) == "bad_credentials"
    assert JsonWebToken().check_secrets(Source(name="s", provider="p", secrets=(Secret(broken),)))


@pytest.mark.parametrize("issuer", ["", 5])
def test_an_issuer_that_cannot_be_read_lets_nobody_in(issuer: object) -> None:
    assert reason(f"Bearer {token()}", issuer=issuer) == "bad_credentials"

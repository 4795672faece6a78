"""Signatures over a digest of the body (RFC 9421, RFC 9530): all of it must hold, or nothing does."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.source import Secret, Source
from worker.providers.authentication.http_message_signature import HttpMessageSignature
from worker.providers.webhook_request import WebhookRequest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SOURCE = Source(name="main", provider="any", secrets=(Secret(PUBLIC),))
SCHEME = HttpMessageSignature()
BODY = b'[{"event":"test"}]'


def digest_of(body: bytes, name: str = "sha-256") -> str:
    digest = hashlib.sha256(body).digest() if name == "sha-256" else hashlib.sha512(body).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


def signed(
    components: str = '("content-digest")',
    *,
    digest: str | None = None,
    label: str = "sig_1772619072",
    lines: tuple[str, ...] | None = None,
    parameters: str = ';created=1772625600;alg="ed25519";keyid="k1"',
    **headers: str,
) -> WebhookRequest:
    digest = digest or digest_of(BODY)
    covered = lines if lines is not None else (f'"content-digest": {digest}',)
    base = "\n".join((*covered, f'"@signature-params": {components}{parameters}'))
    signature = base64.b64encode(KEY.sign(base.encode())).decode()
    given = {
        "content-digest": digest,
        "signature-input": f"{label}={components}{parameters}",
        "signature": f"{label}=:{signature}:",
        **headers,
    }
    return WebhookRequest(method="POST", path="/", query={}, headers=given, body=BODY, remote_address="192.0.2.1")


def reason(request: WebhookRequest, now: datetime = NOW, source: Source = SOURCE) -> str | None:
    refused = SCHEME.bind(source)(request, now)
    return refused.reason if refused else None


def test_a_signature_over_the_bodys_digest_is_accepted() -> None:
    assert reason(signed()) is None
    assert reason(signed(digest=digest_of(BODY, "sha-512"))) is None
    assert reason(signed(parameters=";created=1772625600")) is None


def test_further_header_fields_may_be_covered() -> None:
    lines = ('"content-type": application/json', f'"content-digest": {digest_of(BODY)}')
    request = signed('("content-type" "content-digest")', lines=lines, **{"content-type": "application/json"})
    assert reason(request) is None
    changed = msgspec.structs.replace(request, headers={**request.headers, "content-type": "text/plain"})
    assert reason(changed) == "bad_signature"


def test_one_signature_among_several_is_enough() -> None:
    good = signed(label="sig_2")
    headers = {
        "signature-input": f'sig_1=("content-digest");created=1;keyid="old", {good.headers["signature-input"]}',
        "signature": f"sig_1=:{'A' * 86}==:, {good.headers['signature']}",
    }
    assert reason(msgspec.structs.replace(good, headers={**good.headers, **headers})) is None


def test_another_body_is_refused_though_the_signature_holds() -> None:
    assert reason(msgspec.structs.replace(signed(), body=BODY + b" ")) == "bad_digest"


@pytest.mark.parametrize("digest", ["sha-256=::", "md5=:AAAA:", "sha-256", digest_of(BODY) + ", " + digest_of(b"x")])
def test_a_digest_that_does_not_fit_is_refused(digest: str) -> None:
    assert reason(signed(digest=digest)) == "bad_digest"


@pytest.mark.parametrize("name", ["content-digest", "signature-input", "signature"])
def test_a_missing_header_is_reported(name: str) -> None:
    request = signed()
    headers = {key: value for key, value in request.headers.items() if key != name}
    assert reason(msgspec.structs.replace(request, headers=headers)) == "missing_signature"


def test_a_signature_that_does_not_cover_the_digest_proves_nothing() -> None:
    assert reason(signed('("date")', lines=('"date": today',), date="today")) == "bad_signature"
    assert reason(signed("()", lines=())) == "bad_signature"


def test_derived_components_and_other_algorithms_are_not_understood() -> None:
    lines = ('"@method": POST', f'"content-digest": {digest_of(BODY)}')
    assert reason(signed('("@method" "content-digest")', lines=lines)) == "bad_signature"
    assert reason(signed(parameters=';created=1772625600;alg="hmac-sha256"')) == "bad_signature"


def test_labels_must_meet() -> None:
    request = signed()
    headers = {**request.headers, "signature": request.headers["signature"].replace("sig_", "sig_9")}
    assert reason(msgspec.structs.replace(request, headers=headers)) == "bad_signature"


def test_parameters_that_were_changed_are_refused() -> None:
    request = signed()
    later = request.headers["signature-input"].replace("1772625600", "1772625900")
    headers = {**request.headers, "signature-input": later}
    assert reason(msgspec.structs.replace(request, headers=headers)) == "bad_signature"


def test_an_old_signature_is_a_replay_and_one_without_time_too() -> None:
    assert reason(signed(), NOW + timedelta(seconds=301)) == "stale"
    assert reason(signed(), NOW - timedelta(seconds=301)) == "stale"
    assert reason(signed(parameters=';keyid="k1"')) == "bad_timestamp"


def test_a_signature_ends_when_it_says_so() -> None:
    ends = signed(parameters=";created=1772625600;expires=1772625610")
    wide = msgspec.structs.replace(SOURCE, options={"max_age_seconds": 3_600})
    assert reason(ends, NOW + timedelta(seconds=310), wide) is None  # clocks may be five minutes apart
    assert reason(ends, NOW + timedelta(seconds=311), wide) == "stale"
    assert reason(signed(parameters=";created=1772625600;expires=1")) == "bad_timestamp"


@pytest.mark.parametrize("created", ["01772625600", "1772625600000", "17726256", "\u0661772625600", '"1772625600"'])
def test_a_time_of_signing_in_another_form_is_refused_though_it_is_signed(created: str) -> None:
    assert reason(signed(parameters=f";created={created}")) in {"bad_timestamp", "bad_signature"}


def test_a_field_that_is_named_twice_or_is_not_there_proves_nothing() -> None:
    line = f'"content-digest": {digest_of(BODY)}'
    assert reason(signed('("content-digest" "content-digest")', lines=(line, line))) == "bad_signature"
    assert reason(signed('("x-tenant" "content-digest")', lines=('"x-tenant": ', line))) == "bad_signature"


def test_the_lines_that_are_signed_belong_to_one_field_each() -> None:
    digest = f'"content-digest": {digest_of(BODY)}'
    genuine = signed(
        '("x-tenant" "content-digest" "x-note")',
        lines=('"x-tenant": a', digest, '"x-note": b'),
        **{"x-tenant": "a", "x-note": "b"},
    )
    assert reason(genuine) is None
    base = ['"x-tenant": a', digest, '"x-note": b']
    # The same lines, with those of other fields inside one value; HTTP itself forbids such a value.
    for held in range(1, 3):
        value = "\n".join(base[: held + 1]).removeprefix('"x-tenant": ')
        headers = {**genuine.headers, "x-tenant": value}
        assert reason(msgspec.structs.replace(genuine, headers=headers)) == "bad_signature"
    forged = signed('("x-tenant")', lines=tuple(base), **{"x-tenant": "\n".join(base)[len('"x-tenant": ') :]})
    assert reason(forged) == "bad_signature"
    all_in_one = signed('("content-digest")', lines=(f"{digest}\nx",), **{"content-digest": f"{digest_of(BODY)}\nx"})
    assert reason(all_in_one) == "bad_signature"


def test_another_key_is_refused_and_a_secret_that_is_none_is_reported() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    wrong = msgspec.structs.replace(SOURCE, secrets=(Secret(base64.b64encode(other).decode()),))
    assert reason(signed(), source=wrong) == "bad_signature"
    assert SCHEME.check_secrets(wrong) == []
    assert SCHEME.check_secrets(msgspec.structs.replace(SOURCE, secrets=(Secret("a password"),)))

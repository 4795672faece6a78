"""An HMAC lets in who has the key: over the body alone, or with a time and an id."""

import base64
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256

import pytest

from schemas.source import Secret, Source
from worker.providers.authentication.hmac_signature import (
    Digest,
    HmacSignature,
    body_hash,
    encode_digest,
    hmac_matches,
)
from worker.providers.authentication.signed_time import TimeFormat
from worker.providers.webhook_request import WebhookRequest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
BODY = b'{"event": "bounce"}'
KEY = "a key"


def outcome(
    scheme: HmacSignature, headers: Mapping[str, str], *, body: bytes = BODY, secrets: tuple[str, ...] = (KEY,)
) -> str:
    request = WebhookRequest(method="POST", path="/", query={}, headers=headers, body=body, remote_address="192.0.2.10")
    refused = scheme.bind(Source(name="s", provider="p", secrets=tuple(map(Secret, secrets))))(request, NOW)
    return "accepted" if refused is None else refused.reason


def mac(message: bytes, digest: Digest = "sha256") -> bytes:
    return hmac.digest(KEY.encode(), message, digest)


# -- the comparison


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


def test_base64_is_compared_with_its_case() -> None:
    given = base64.b64encode(mac(b"message")).decode()
    assert hmac_matches(given, b"message", [Secret(KEY)], encoding="base64")
    assert not hmac_matches(given.swapcase(), b"message", [Secret(KEY)], encoding="base64")


# -- the scheme


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sha384", "sha512"])
def test_the_body_may_be_signed_with_any_digest_in_either_encoding(digest: Digest) -> None:
    for encoded, scheme in (
        (mac(BODY, digest).hex(), HmacSignature(header="x-signature", digest=digest)),
        (
            encode_digest(mac(BODY, digest), "base64"),
            HmacSignature(header="x-signature", digest=digest, encoding="base64"),
        ),
    ):
        assert outcome(scheme, {"x-signature": encoded}) == "accepted"
        assert outcome(scheme, {"x-signature": f" {encoded} "}) == "accepted"
        assert outcome(scheme, {"x-signature": encoded}, secrets=("old", KEY)) == "accepted"
        assert outcome(scheme, {"x-signature": encoded}, secrets=("old",)) == "bad_signature"
        assert outcome(scheme, {"x-signature": encoded}, body=b"{}") == "bad_signature"
        assert outcome(scheme, {"x-signature": encoded[:-2]}) == "bad_signature"
        assert outcome(scheme, {"x-signature": ""}) == "missing_signature"
        assert outcome(scheme, {"x-other": encoded}) == "missing_signature"


def test_a_prefix_must_be_there() -> None:
    scheme = HmacSignature(header="x-signature", prefix="sha256=")
    assert outcome(scheme, {"x-signature": f"sha256={mac(BODY).hex()}"}) == "accepted"
    assert outcome(scheme, {"x-signature": mac(BODY).hex()}) == "bad_signature"
    assert outcome(scheme, {"x-signature": f"sha1={mac(BODY).hex()}"}) == "bad_signature"


def test_a_time_and_an_id_are_signed_where_the_vendor_signs_them() -> None:
    scheme = HmacSignature(
        header="x-signature", signed="{id}.{timestamp}.{body}", timestamp_header="x-time", id_header="x-id"
    )
    time = str(int(NOW.timestamp()))
    headers = {"x-signature": mac(b"id-1." + time.encode() + b"." + BODY).hex(), "x-time": time, "x-id": "id-1"}
    assert outcome(scheme, headers) == "accepted"
    assert outcome(scheme, headers | {"x-id": "id-2"}) == "bad_signature"
    assert outcome(scheme, headers | {"x-time": str(int(NOW.timestamp()) + 1)}) == "bad_signature"
    assert outcome(scheme, headers | {"x-time": ""}) == "missing_signature"


def test_braces_of_the_body_are_no_fields() -> None:
    scheme = HmacSignature(header="x-signature", signed="v0:{timestamp}:{body}", timestamp_header="x-time")
    time, body = str(int(NOW.timestamp())), b'{"{timestamp}": "{id}"}'
    headers = {"x-signature": mac(b"v0:" + time.encode() + b":" + body).hex(), "x-time": time}
    assert outcome(scheme, headers, body=body) == "accepted"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (str(int(NOW.timestamp())), "accepted"),
        (str(int(NOW.timestamp()) - 86_400), "accepted"),
        (str(int(NOW.timestamp()) - 86_401), "stale"),
        (str(int(NOW.timestamp()) + 300), "accepted"),
        (str(int(NOW.timestamp()) + 301), "stale"),
        (str(int(NOW.timestamp()) * 1_000), "bad_timestamp"),
        (NOW.isoformat(), "bad_timestamp"),
        ("yesterday", "bad_timestamp"),
    ],
)
def test_a_signed_time_has_ten_digits_and_must_be_recent(written: str, expected: str) -> None:
    scheme = HmacSignature(header="x-signature", signed="{timestamp}{body}", timestamp_header="x-time")
    headers = {"x-signature": mac(written.encode() + BODY).hex(), "x-time": written}
    assert outcome(scheme, headers) == expected


@pytest.mark.parametrize(
    ("time_format", "written", "expected"),
    [
        ("milliseconds", str(int(NOW.timestamp()) * 1_000), "accepted"),
        ("milliseconds", str(int(NOW.timestamp())), "bad_timestamp"),
        ("rfc3339", NOW.isoformat(), "accepted"),
        ("rfc3339", "2026-03-04T12:00:00.123456789Z", "accepted"),
        ("rfc3339", (NOW - timedelta(days=1, seconds=1)).isoformat(), "stale"),
        ("rfc3339", "2026-03-04 12:00:00Z", "bad_timestamp"),
        ("rfc3339", "2026-03-04T12:00:00", "bad_timestamp"),
        ("rfc3339", "20260304T120000Z", "bad_timestamp"),
    ],
)
def test_another_form_of_time_is_read_where_the_scheme_names_it(
    time_format: TimeFormat, written: str, expected: str
) -> None:
    scheme = HmacSignature(
        header="x-signature", signed="{timestamp}{body}", timestamp_header="x-time", timestamp_format=time_format
    )
    headers = {"x-signature": mac(written.encode() + BODY).hex(), "x-time": written}
    assert outcome(scheme, headers) == expected


def test_one_signature_of_several_is_enough_while_a_secret_is_changed() -> None:
    good, other = mac(BODY).hex(), mac(b"other").hex()
    for prefix in ("", "sha256="):
        scheme = HmacSignature(header="x-signature", prefix=prefix)
        for listed in ([other, good], [good, other], [good, good], [other, other]):
            given = ", ".join(prefix + one for one in listed)
            assert outcome(scheme, {"x-signature": given}) == ("accepted" if good in listed else "bad_signature")
    thousands = ",".join([other] * 5_000 + [good])
    assert outcome(HmacSignature(header="x-signature"), {"x-signature": thousands}) == "bad_signature"


def test_an_id_that_holds_what_marks_its_end_is_refused_though_it_is_signed() -> None:
    scheme = HmacSignature(
        header="x-signature", signed="{id}.{timestamp}.{body}", timestamp_header="x-time", id_header="x-id"
    )
    time = str(int(NOW.timestamp()))
    headers = {"x-signature": mac(f"id.1.{time}.".encode() + BODY).hex(), "x-time": time, "x-id": "id.1"}
    assert outcome(scheme, headers) == "bad_signature"


def test_a_hash_of_the_body_is_in_hex() -> None:
    assert body_hash(BODY, "md5") == md5(BODY, usedforsecurity=False).hexdigest()
    assert body_hash(BODY, "sha256") == sha256(BODY).hexdigest()


def test_any_text_is_a_key() -> None:
    source = Source(name="s", provider="p", secrets=(Secret("änything"),))
    assert HmacSignature(header="x-signature").check_secrets(source) == []

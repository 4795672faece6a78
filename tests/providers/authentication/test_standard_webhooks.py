"""Standard Webhooks: who has the secret, by either family of header names, and for five minutes."""

import base64
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.source import Secret, Source
from worker.providers.authentication.standard_webhooks import StandardWebhooks
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

# The example that the specification's own libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SIGNED_AT = datetime.fromtimestamp(1_614_265_330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

SIGNED = b".".join((MESSAGE_ID.encode(), b"1614265330", BODY))


def request(
    signature: str = SIGNATURE, *, family: str = "webhook", body: bytes = BODY, **changed: str
) -> WebhookRequest:
    values = {"id": MESSAGE_ID, "timestamp": "1614265330", "signature": signature, **changed}
    return WebhookRequest(
        method="POST",
        path="/webhooks/main",
        query={},
        headers={f"{family}-{name}": value for name, value in values.items()},
        body=body,
        remote_address="192.0.2.10",
    )


def refusal(
    posted: WebhookRequest,
    *secrets: str,
    scheme: StandardWebhooks | None = None,
    now: datetime = SIGNED_AT,
    options: dict[str, Any] | None = None,
) -> Refused | None:
    source = Source(
        name="main", provider="any", secrets=tuple(map(Secret, secrets or (SECRET,))), options=options or {}
    )
    return (scheme or StandardWebhooks()).bind(source)(posted, now)


def reason(refused: Refused | None) -> str | None:
    return refused.reason if refused is not None else None


def signed_with(key: bytes, message: bytes = SIGNED) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, message, "sha256")).decode()


def key_pair() -> tuple[Ed25519PrivateKey, str]:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return private, "whpk_" + base64.b64encode(public).decode()


@pytest.mark.parametrize("family", ["webhook", "svix"])
def test_the_specifications_example_is_accepted_under_either_family_of_names(family: str) -> None:
    assert refusal(request(family=family)) is None


@pytest.mark.parametrize(("family", "other"), [("webhook", "svix"), ("svix", "webhook")])
def test_an_id_of_the_other_family_beside_the_signed_one_must_be_the_same(family: str, other: str) -> None:
    posted = request(family=family)
    beside = {
        told: msgspec.structs.replace(posted, headers={**posted.headers, f"{other}-id": told})
        for told in (MESSAGE_ID, "", "msg_another")
    }
    assert refusal(beside[MESSAGE_ID]) is None
    assert refusal(beside[""]) is None
    assert reason(refusal(beside["msg_another"])) == "bad_signature"


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), f"v1,{SECRET}", f" {SECRET}\n"])
def test_the_secret_may_be_written_as_any_console_shows_it(secret: str) -> None:
    assert refusal(request(), secret) is None


@pytest.mark.parametrize(
    "posted",
    [
        request(body=BODY + b" "),
        request(id="msg_other"),
        request(timestamp="1614265331"),
        request(SIGNATURE.replace("g0", "G0")),
        request(SIGNATURE.removeprefix("v1,")),
        request(SIGNATURE.replace("v1,", "v2,")),
        request(SIGNATURE.replace("v1,", "v1a,")),
        request("v1,"),
        request("v1"),
        request(","),
        request("v1,\u00fc"),
    ],
)
def test_whatever_is_changed_is_refused(posted: WebhookRequest) -> None:
    assert reason(refusal(posted)) == "bad_signature"


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
@pytest.mark.parametrize("family", ["webhook", "svix"])
def test_a_missing_header_is_named(name: str, family: str) -> None:
    posted = request(family=family)
    without = {header: value for header, value in posted.headers.items() if header != f"{family}-{name}"}
    refused = refusal(msgspec.structs.replace(posted, headers=without))
    assert reason(refused) == "missing_signature"
    assert refused is not None
    told = family if name != "signature" else "webhook"  # nothing tells which family it was to be
    assert f"{told}-{name}" in refused.detail


def test_the_two_families_are_not_mixed() -> None:
    posted = request()
    mixed = {name.replace("webhook-id", "svix-id"): value for name, value in posted.headers.items()}
    posted = msgspec.structs.replace(posted, headers=mixed)
    assert reason(refusal(posted)) == "missing_signature"


def test_one_signature_of_several_is_enough() -> None:
    strangers = " ".join(signed_with(f"key {number}".encode()) for number in range(3))
    assert refusal(request(f"{strangers} {SIGNATURE}")) is None
    assert refusal(request(f"{SIGNATURE} {strangers}")) is None
    assert refusal(request(f"v9,bm90aGluZw== {SIGNATURE} v1a,bm90aGluZw==")) is None
    assert reason(refusal(request(strangers))) == "bad_signature"


def test_thousands_of_signatures_are_not_all_looked_at() -> None:
    assert reason(refusal(request(" ".join(["v1,bm90aGluZw=="] * 5_000 + [SIGNATURE])))) == "bad_signature"


def test_one_secret_of_several_is_enough_while_they_are_rotated() -> None:
    other = "whsec_" + base64.b64encode(b"another key, of a few more bytes").decode()
    assert refusal(request(), other, SECRET) is None
    assert refusal(request(), SECRET, other) is None
    assert reason(refusal(request(), other)) == "bad_signature"


@pytest.mark.parametrize("secret", ["", "whsec_", "whpk_", "not base64!", "whpk_bm90aGluZw=="])
def test_a_secret_without_a_key_fits_nothing(secret: str) -> None:
    assert reason(refusal(request(signed_with(b"")), secret)) == "bad_signature"


def test_an_ed25519_signature_fits_under_its_public_key() -> None:
    private, public = key_pair()
    signature = "v1a," + base64.b64encode(private.sign(SIGNED)).decode()
    _, stranger = key_pair()
    assert refusal(request(signature), public) is None
    assert refusal(request(signature), stranger, public) is None
    assert refusal(request(f"{SIGNATURE} {signature}"), public) is None
    assert reason(refusal(request(signature), stranger)) == "bad_signature"
    assert reason(refusal(request(signature, body=b"{}"), public)) == "bad_signature"


def test_a_public_key_is_never_used_as_a_shared_one() -> None:
    _, public = key_pair()
    for key in (public.encode(), base64.b64decode(public.removeprefix("whpk_"))):
        assert reason(refusal(request(signed_with(key)), public)) == "bad_signature"
        assert reason(refusal(request("v1a," + signed_with(key)[3:]), public)) == "bad_signature"


@pytest.mark.parametrize("secret", ["aha-whsec-MfKQ9r8GKYqr", "whsec_MfKQ9r8GKYqr", "p\u00e4ss"])
def test_a_raw_secret_is_the_key_with_all_its_characters(secret: str) -> None:
    raw = StandardWebhooks(raw_secret=True)
    assert refusal(request(signed_with(secret.encode())), secret, scheme=raw) is None
    assert reason(refusal(request(), SECRET, scheme=raw)) == "bad_signature"
    assert reason(refusal(request(signed_with(b"")), "", scheme=raw)) == "bad_signature"


@pytest.mark.parametrize(
    ("age_seconds", "accepted"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_a_signature_is_good_five_minutes_before_and_after_its_time(age_seconds: int, *, accepted: bool) -> None:
    refused = refusal(request(), now=SIGNED_AT + timedelta(seconds=age_seconds))
    assert reason(refused) == (None if accepted else "stale")


def test_the_operator_may_allow_more_time() -> None:
    later = SIGNED_AT + timedelta(hours=1)
    assert refusal(request(), now=later, options={"max_age_seconds": 3_600}) is None
    assert refusal(request(), now=later, scheme=StandardWebhooks(max_age_seconds=3_600)) is None
    earlier = SIGNED_AT - timedelta(minutes=10)
    assert refusal(request(), now=earlier, options={"max_ahead_seconds": 600}) is None


@pytest.mark.parametrize("timestamp", ["yesterday", "-1", "99999999999999999999", "nan", "1614265330000"])
def test_a_signed_time_in_another_form_is_refused_as_such(timestamp: str) -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    message = b".".join((MESSAGE_ID.encode(), timestamp.encode(), BODY))
    assert reason(refusal(request(signed_with(key, message), timestamp=timestamp))) == "bad_timestamp"


def test_an_id_with_a_full_stop_could_be_cut_elsewhere_and_is_refused() -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    message = b".".join((b"msg.1", b"1614265330", BODY))
    assert reason(refusal(request(signed_with(key, message), id="msg.1"))) == "bad_signature"


def test_a_secret_without_its_padding_is_the_same_key() -> None:
    padded = "whsec_" + base64.b64encode(b"a key of 25 bytes, no more").decode()
    assert padded.endswith("=")
    key = base64.b64decode(padded.removeprefix("whsec_"))
    for secret in (padded, padded.rstrip("="), padded.removeprefix("whsec_").rstrip("=")):
        assert refusal(request(signed_with(key)), secret) is None
        assert StandardWebhooks().check_secrets(Source(name="m", provider="p", secrets=(Secret(secret),))) == []
    private, public = key_pair()
    signature = "v1a," + base64.b64encode(private.sign(SIGNED)).decode()
    assert refusal(request(signature), public.rstrip("=")) is None


@pytest.mark.parametrize(
    ("secrets", "problems"),
    [
        ([SECRET], 0),
        ([SECRET.removeprefix("whsec_")], 0),
        (["whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], 1),  # the vendor's private key, which nobody hands out
        (["whsec_not base64!"], 1),
        (["whsec_"], 1),
        (["whpk_bm90aGluZw=="], 1),
    ],
)
def test_a_secret_of_another_form_is_reported(secrets: Sequence[str], problems: int) -> None:
    source = Source(name="main", provider="any", secrets=tuple(map(Secret, secrets)))
    assert len(StandardWebhooks().check_secrets(source)) == problems
    assert StandardWebhooks(raw_secret=True).check_secrets(source) == []

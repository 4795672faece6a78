"""A signature proves one request: the bytes that it covers are cut in one way, and a time is read in one spelling.

Signed parts stand one behind the other. Wherever an attacker can move the border between two of them, one webhook that
he has seen makes another one. So here every border is moved to every place.
"""

import base64
import hmac
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote, quote_from_bytes

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.source import Secret, Source
from tests.properties import examples
from worker.providers.authentication.hmac_signature import HmacSignature
from worker.providers.authentication.public_key import PublicKeySignature
from worker.providers.authentication.scheme import Scheme
from worker.providers.authentication.standard_webhooks import StandardWebhooks
from worker.providers.registry import PROVIDERS
from worker.providers.vendors.zeptomail import as_json
from worker.providers.webhook_request import WebhookRequest

NOW = datetime.fromtimestamp(1_772_625_600, UTC)
TIME = b"1772625600"
KEY = "a signing key"
WHSEC = "whsec_" + base64.b64encode(b"a key of 24 bytes or more").decode()
_P256 = ec.generate_private_key(ec.SECP256R1())
_ED25519 = ed25519.Ed25519PrivateKey.generate()

# Bodies that offer borders: digits in front, separators, whole times.
BODIES = st.lists(
    st.sampled_from(
        [b"0", b"1772625600", b"000", b"7", b".", b"|", b":", b'{"a":1}', b"[", b"]", b" ", b"\n", b"v0:", b"T", b"Z"]
    ),
    max_size=8,
).map(b"".join)


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor that signs a time and a body."""

    scheme: Scheme
    secret: str
    sign: Callable[[bytes], str]
    headers: Callable[[str, str], dict[str, str]]  # of the time's text and the signature
    before: bytes = b""
    between: bytes = b""
    time: bytes = TIME

    def accepts(self, time: bytes, body: bytes, signature: str) -> bool:
        """Whether the request is let in."""
        headers = self.headers(time.decode("utf-8", "surrogateescape"), signature)
        return is_accepted(self.scheme, posted(body, headers), self.secret)


def posted(body: bytes, headers: dict[str, str]) -> WebhookRequest:
    return WebhookRequest(
        method="POST", path="/", query={}, headers=headers, body=body, remote_address="192.0.2.10", raw_query=""
    )


def is_accepted(scheme: Scheme, request: WebhookRequest, secret: str) -> bool:
    return scheme.bind(Source(name="s", provider="p", secrets=(Secret(secret),)))(request, NOW) is None


def hex_hmac(message: bytes) -> str:
    return hmac.digest(KEY.encode(), message, "sha256").hex()


def by_p256(message: bytes) -> str:
    return base64.b64encode(_P256.sign(message, ec.ECDSA(hashes.SHA256()))).decode()


def by_ed25519(message: bytes) -> str:
    return base64.b64encode(_ED25519.sign(message)).decode()


def public(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def two_headers(time_header: str, signature_header: str, prefix: str = "") -> Callable[[str, str], dict[str, str]]:
    return lambda time, signature: {time_header: time, signature_header: prefix + signature}


def scheme_of(provider: str, authentication: str = "") -> Scheme:
    return PROVIDERS[provider].schemes[authentication]


_SENDGRID = two_headers("x-twilio-email-event-webhook-timestamp", "x-twilio-email-event-webhook-signature")
VENDORS: dict[str, Vendor] = {
    "sendgrid": Vendor(
        scheme=scheme_of("sendgrid"), secret=public(_P256.public_key()), sign=by_p256, headers=_SENDGRID
    ),
    "sendgrid_inbound": Vendor(
        scheme=scheme_of("sendgrid_inbound", "signature"),
        secret=public(_P256.public_key()),
        sign=by_p256,
        headers=_SENDGRID,
    ),
    "telnyx": Vendor(
        scheme=scheme_of("telnyx"),
        secret=public(_ED25519.public_key()),
        sign=by_ed25519,
        headers=two_headers("telnyx-timestamp", "telnyx-signature-ed25519"),
        between=b"|",
    ),
    "customerio": Vendor(
        scheme=scheme_of("customerio"),
        secret=KEY,
        sign=hex_hmac,
        headers=two_headers("x-cio-timestamp", "x-cio-signature"),
        before=b"v0:",
        between=b":",
    ),
    "bouncekeeper": Vendor(
        scheme=scheme_of("bouncekeeper"),
        secret=KEY,
        sign=hex_hmac,
        headers=two_headers("bouncekeeper-timestamp", "bouncekeeper-signature", "sha256="),
        between=b".",
    ),
    "lettermint": Vendor(
        scheme=scheme_of("lettermint"),
        secret=KEY,
        sign=hex_hmac,
        headers=lambda time, signature: {"x-lettermint-signature": f"t={time},v1={signature}"},
        between=b".",
    ),
    "described, nothing between": Vendor(
        scheme=HmacSignature(header="x-signature", signed="{timestamp}{body}", timestamp_header="x-time"),
        secret=KEY,
        sign=hex_hmac,
        headers=two_headers("x-time", "x-signature"),
    ),
    "described, milliseconds": Vendor(
        scheme=HmacSignature(
            header="x-signature",
            signed="{timestamp}{body}",
            timestamp_header="x-time",
            timestamp_format="milliseconds",
        ),
        secret=KEY,
        sign=hex_hmac,
        headers=two_headers("x-time", "x-signature"),
        time=TIME + b"000",
    ),
    "described, rfc3339": Vendor(
        scheme=HmacSignature(
            header="x-signature", signed="{timestamp}{body}", timestamp_header="x-time", timestamp_format="rfc3339"
        ),
        secret=KEY,
        sign=hex_hmac,
        headers=two_headers("x-time", "x-signature"),
        time=b"2026-03-04T12:00:00Z",
    ),
    "described, public key": Vendor(
        scheme=PublicKeySignature(header="x-signature", algorithm="ed25519", timestamp_header="x-time"),
        secret=public(_ED25519.public_key()),
        sign=by_ed25519,
        headers=two_headers("x-time", "x-signature"),
    ),
}
SECONDS = [name for name, vendor in VENDORS.items() if vendor.time == TIME]


@pytest.mark.parametrize("name", VENDORS)
@given(body=BODIES)
@example(body=b"000{}")
@example(body=b"000.{}")
@settings(max_examples=examples(60))
def test_a_time_before_the_body_ends_where_the_vendor_ended_it(name: str, body: bytes) -> None:
    vendor = VENDORS[name]
    signed = vendor.before + vendor.time + vendor.between + body
    signature = vendor.sign(signed)
    start = len(vendor.before)
    for end in range(start, len(signed) + 1):
        if signed[end : end + len(vendor.between)] == vendor.between:
            time, rest = signed[start:end], signed[end + len(vendor.between) :]
            assert vendor.accepts(time, rest, signature) is (time == vendor.time), (time, rest)


@given(body=BODIES)
@settings(max_examples=examples(60))
def test_a_time_behind_the_body_begins_where_the_vendor_began_it(body: bytes) -> None:
    scheme = HmacSignature(header="x-signature", signed="{body}{timestamp}", timestamp_header="x-time")
    signed = body + TIME
    for border in range(len(signed) + 1):
        headers = {"x-time": signed[border:].decode(), "x-signature": hex_hmac(signed)}
        assert is_accepted(scheme, posted(signed[:border], headers), KEY) is (border == len(body))


SPELLINGS: tuple[Callable[[str], str], ...] = (
    " {}".format,
    "{} ".format,
    "{}\n".format,
    "\t{}".format,
    "+{}".format,
    "-{}".format,
    "0{}".format,
    "{}.0".format,
    "{}.".format,
    "{}000".format,
    "{}e0".format,
    "0x{}".format,
    lambda time: f"{time[:1]}_{time[1:]}",
    lambda time: f"{time[:-1]},{time[-1:]}",
    lambda time: f"{time[0]}.{time[1:]}e{len(time) - 1}",
    lambda time: "".join(chr(0x660 + int(digit)) for digit in time),  # Arabic-Indic digits
    lambda time: "".join(chr(0xFF10 + int(digit)) for digit in time),  # full width
    lambda time: time[:-1] + "\u00b2",
    lambda time: datetime.fromtimestamp(int(time), UTC).isoformat(),
)


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_time_in_another_spelling_is_refused_even_if_the_vendor_signed_it(
    name: str, spell: Callable[[str], str]
) -> None:
    vendor = VENDORS[name]
    written = spell(TIME.decode()).encode()
    body = b'{"a":1}'
    assert vendor.accepts(TIME, body, vendor.sign(vendor.before + TIME + vendor.between + body))
    assert not vendor.accepts(written, body, vendor.sign(vendor.before + written + vendor.between + body))
    # Nor does one spelling stand for the other.
    assert not vendor.accepts(written, body, vendor.sign(vendor.before + TIME + vendor.between + body))


# -- id, time and body


ID_SCHEMES: dict[str, tuple[Scheme, str, bytes, Callable[[str, str, str], dict[str, str]]]] = {
    **{
        f"standard webhooks, {family}": (
            StandardWebhooks(),
            WHSEC,
            base64.b64decode(WHSEC.removeprefix("whsec_")),
            lambda message_id, time, signature, family=family: {  # type: ignore[misc]
                f"{family}-id": message_id,
                f"{family}-timestamp": time,
                f"{family}-signature": f"v1,{signature}",
            },
        )
        for family in ("webhook", "svix")
    },
    "sweego": (
        scheme_of("sweego"),
        WHSEC,
        base64.b64decode(WHSEC.removeprefix("whsec_")),
        lambda message_id, time, signature: {
            "webhook-id": message_id,
            "webhook-timestamp": time,
            "webhook-signature": signature,
        },
    ),
    "ahasend": (
        scheme_of("ahasend"),
        KEY,
        KEY.encode(),
        lambda message_id, time, signature: {
            "webhook-id": message_id,
            "webhook-timestamp": time,
            "webhook-signature": f"v1,{signature}",
        },
    ),
    "described": (
        HmacSignature(
            header="x-signature",
            signed="{id}.{timestamp}.{body}",
            timestamp_header="x-time",
            id_header="x-id",
            encoding="base64",
        ),
        KEY,
        KEY.encode(),
        lambda message_id, time, signature: {"x-id": message_id, "x-time": time, "x-signature": signature},
    ),
}


def cuts(signed: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """All ways to read `{id}.{time}.{body}`."""
    dots = [place for place, byte in enumerate(signed) if byte == ord(".")]
    for first in dots:
        for second in dots:
            if first < second:
                yield signed[:first], signed[first + 1 : second], signed[second + 1 :]


@pytest.mark.parametrize("name", ID_SCHEMES)
@given(body=BODIES)
@example(body=b".1772625600.{}")
@example(body=b"1772625600.1772625600.{}")
@settings(max_examples=examples(60))
def test_an_id_and_a_time_end_where_the_vendor_ended_them(name: str, body: bytes) -> None:
    scheme, secret, key, headers = ID_SCHEMES[name]
    signed = b"msg_1." + TIME + b"." + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    for message_id, time, rest in cuts(signed):
        request = posted(rest, headers(message_id.decode(), time.decode(), signature))
        genuine = (message_id, time) == (b"msg_1", TIME)
        assert is_accepted(scheme, request, secret) is genuine, (message_id, time, rest)


@pytest.mark.parametrize("name", ID_SCHEMES)
@pytest.mark.parametrize("spell", SPELLINGS)
def test_a_time_between_id_and_body_has_one_spelling(name: str, spell: Callable[[str], str]) -> None:
    scheme, secret, key, headers = ID_SCHEMES[name]
    written = spell(TIME.decode())
    signed = f"msg_1.{written}.".encode() + b"{}"
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert not is_accepted(scheme, posted(b"{}", headers("msg_1", written, signature)), secret)


# -- Mailgun: a time and a token, both in the body


TOKENS = st.text("0123456789abcdef", min_size=1, max_size=50)


def mailgun_json(timestamp: object, token: str, signature: str) -> WebhookRequest:
    told = {"timestamp": timestamp, "token": token, "signature": signature}
    return posted(msgspec.json.encode({"signature": told, "event-data": {}}), {"content-type": "application/json"})


def mailgun_form(timestamp: object, token: str, signature: str) -> WebhookRequest:
    body = f"timestamp={timestamp}&token={token}&signature={signature}&event=opened"
    return posted(body.encode(), {"content-type": "application/x-www-form-urlencoded"})


@pytest.mark.parametrize("provider", ["mailgun", "mailgun_inbound"])
@pytest.mark.parametrize("make", [mailgun_json, mailgun_form])
@given(token=TOKENS)
@example(token="000" + "a" * 47)
@example(token="1772625600" + "a" * 40)
@settings(max_examples=examples(100))
def test_mailguns_time_and_token_part_after_ten_digits(
    provider: str, make: Callable[[object, str, str], WebhookRequest], token: str
) -> None:
    signed = TIME.decode() + token
    signature = hex_hmac(signed.encode())
    for border in range(len(signed) + 1):
        time, rest = signed[:border], signed[border:]
        written: list[object] = [time, int(time)] if time.isdecimal() else [time]
        for timestamp in written:
            request = make(timestamp, rest, signature)
            assert is_accepted(scheme_of(provider), request, KEY) is (border == len(TIME)), (timestamp, rest)


# -- ZeptoMail: perhaps a time, and JSON or a form with JSON in it


def zeptomail(time: bytes | None, body: bytes, signature: str) -> bool:
    told = f"s={quote(signature, safe='')};s-algorithm=HmacSHA256"
    if time is not None:
        told = f"ts={time.decode('utf-8', 'surrogateescape')};{told}"
    return is_accepted(scheme_of("zeptomail"), posted(body, {"producer-signature": told}), KEY)


ZEPTO_BODIES = st.lists(
    st.sampled_from([b"{", b"}", b"1772625600000", b"7", b"=", b"&", b"a", b'"', b" ", b"%7B%7D"]), max_size=8
).map(lambda pieces: b"{" + b"".join(pieces))


@given(json=ZEPTO_BODIES, timed=st.booleans(), as_form=st.booleans())
@example(json=b'{"ua":"z=%7B%22forged%22%3A1%7D&"}', timed=True, as_form=False)
@example(json=b"{}", timed=True, as_form=True)
@settings(max_examples=examples(200))
def test_zeptomails_time_and_json_part_where_the_json_begins(json: bytes, timed: bool, as_form: bool) -> None:  # noqa: FBT001
    time = b"1772625600000" if timed else None
    genuine = b"data=" + quote_from_bytes(json, safe="").encode() if as_form else json
    signed = (time or b"") + genuine
    signature = base64.b64encode(hmac.digest(KEY.encode(), signed, "sha256")).decode()
    assert zeptomail(time, genuine, signature)
    for border in range(len(signed) + 1):
        before, rest = signed[:border], signed[border:]
        for stated, body in ((before, rest), (None, signed), (b"1", signed), (before, b"k=" + rest)):
            if (body, stated if timed else None) != (genuine, time) and as_json(body) != as_json(genuine):
                assert not zeptomail(stated, body, signature), (stated, body)
    if timed:
        assert not zeptomail(None, signed, signature)
        assert not zeptomail(time, signed, signature)

"""A form of Twilio's is signed without anything between its fields, and is read in one way all the same."""

import base64
import hmac
import re
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.source import Secret, Source
from tests.properties import examples
from tests.providers.sample_events import NOW
from tests.providers.vendors.test_twilio import TestTwilio as TwilioSuite
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.twilio.twilio import PROVIDER
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.twilio import TwilioSamples

URL = "https://bouncekeeper.example.org/webhooks/twilio"
KEY = "k"
SOURCE = Source(name="first", provider="twilio", secrets=(Secret(KEY),), options={"url": URL})

SID = "0123456789abcdef0123456789abcdef"
STATUS = {
    "AccountSid": f"AC{SID}",
    "ApiVersion": "2010-04-01",
    "From": "+15005550006",
    "MessageSid": f"SM{SID}",
    "MessageStatus": "undelivered",
    "ErrorCode": "30005",
    "RawDlrDoneDate": "2603041100",
    "SmsSid": f"SM{SID}",
    "SmsStatus": "undelivered",
    "To": "+491701234567",
}
INCOMING = {
    "AccountSid": f"AC{SID}",
    "ApiVersion": "2010-04-01",
    "Body": "hello",
    "From": "+491701234567",
    "FromCity": "BERLIN",
    "FromCountry": "DE",
    "MessageSid": f"SM{SID}",
    "NumMedia": "0",
    "NumSegments": "1",
    "SmsMessageSid": f"SM{SID}",
    "SmsSid": f"SM{SID}",
    "SmsStatus": "received",
    "To": "+15005550006",
    "ToCountry": "US",
    "ToZip": "",
}
# What a person may text to us who knows Twilio's fields, and what an innocent one may.
PIECES = [
    "STOP", "START", "hello ", "From+15551234567", "From", "FromCityX", "To+15551234567", "Date?", "ErrorCode30005",
    "MessageStatusfailed", "OptOutTypeSTOP", f"MessageSidSM{SID}", "SmsStatusreceived", "Body", "ButtonText",
    f"AccountSidAC{SID}", "Zz", " ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
EXTRAS = st.dictionaries(
    st.sampled_from(["Brand", "Channel", "Country", "Label", "NewThing", "ProfileName", "Zone"]),
    st.sampled_from(["", "x", "Ada Lovelace", "SW1A 1AA", '{"type":"a"}']),
    max_size=3,
)
_NAME = re.compile(rb"[A-Z][a-z][A-Za-z0-9]*")


def signature(message: bytes) -> str:
    return base64.b64encode(hmac.digest(KEY.encode(), message, "sha1")).decode()


def request(fields: list[tuple[bytes, bytes]], proof: str, query: str = "") -> WebhookRequest:
    return msgspec.structs.replace(
        TwilioSamples().posted({}),
        body=urlencode(fields).encode(),
        headers={"x-twilio-signature": proof},
        query=dict(parse_qsl(query, keep_blank_values=True)),
        raw_query=query,
    )


def signed_bytes(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(name + value for name, value in sorted(set(fields)))


def as_bytes(fields: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in fields.items()]


def is_accepted(posted: WebhookRequest) -> bool:
    return isinstance(PROVIDER.bind(SOURCE).authenticate(posted, now=NOW, certificates={}), Accepted)


def told(posted: WebhookRequest) -> Any:
    """What becomes of a form: who, what, by which key and in whose account."""
    try:
        (event,) = PROVIDER.bind(SOURCE).parse(TwilioSuite().envelope(posted))
    except UnreadablePayload:
        return None
    event = with_own_account(event, "subaccount", PROVIDER.account_paths)
    return event.address, event.kind, event.cause, event.vendor_event, event.event_key, event.account


@st.composite
def recuts(draw: st.DrawFn, signed: bytes) -> list[tuple[bytes, bytes]]:
    """Other fields that make the same bytes: each name greater than the one before."""
    starts = [match.start() for match in re.finditer(rb"(?=[A-Z][a-z])", signed)]
    fields: list[tuple[bytes, bytes]] = []
    start, last = 0, b""
    while True:
        run = _NAME.match(signed, start)
        if run is None:
            break
        known = [len(name) for name in (*map(str.encode, {**STATUS, **INCOMING}),) if signed.startswith(name, start)]
        lengths = [length for length in {*known, 2, len(run[0])} if signed[start : start + length] > last]
        if not lengths:
            break
        length = draw(st.sampled_from(sorted(lengths, reverse=True)))
        name = signed[start : start + length]
        ends = [place for place in starts if place >= start + length and signed[place : place + 60] > name]
        end = draw(st.sampled_from([*ends[:12], len(signed)]))
        fields.append((name, signed[start + length : end]))
        start, last = end, name
        if end == len(signed):
            break
    return fields


GENUINE = st.one_of(
    st.builds(
        lambda text, extra, stated: {
            **INCOMING,
            **extra,
            "Body": text,
            **({"OptOutType": stated} if stated else {}),
        },
        TEXTS,
        EXTRAS,
        st.sampled_from(["", "STOP", "START"]),
    ),
    st.builds(
        lambda status, code, extra: {
            **STATUS,
            **extra,
            "MessageStatus": status,
            "SmsStatus": status,
            "ErrorCode": code,
        },
        st.sampled_from(["undelivered", "failed", "delivered"]),
        st.sampled_from(["", "30003", "30005", "21610"]),
        EXTRAS,
    ),
)


@given(genuine=GENUINE, data=st.data())
@settings(max_examples=examples(1_500))
def test_the_same_bytes_in_other_fields_are_refused_or_tell_the_same(
    genuine: dict[str, str], data: st.DataObject
) -> None:
    fields = as_bytes(genuine)
    signed = signed_bytes(fields)
    cut = data.draw(recuts(signed))
    forged = request(cut, signature(URL.encode() + signed))
    if signed_bytes(cut) != signed or not is_accepted(forged):
        return
    real, claimed = told(request(fields, "")), told(forged)
    if claimed != real:
        # All that is left: a person's own text, cut behind the word STOP that she wrote at its beginning.
        assert claimed is not None
        assert claimed[1].value == "unsubscribe"
        assert claimed[0] == genuine["From"]
        assert genuine["Body"].startswith("STOP")


@given(genuine=GENUINE, data=st.data())
@settings(max_examples=examples(500))
def test_a_border_between_url_and_form_cannot_be_moved(genuine: dict[str, str], data: st.DataObject) -> None:
    query, signed = "campaign=Sale", signed_bytes(as_bytes(genuine))
    proof = signature(f"{URL}?{query}".encode() + signed)
    assert is_accepted(request(as_bytes(genuine), proof, query)) is is_accepted(
        request(as_bytes(genuine), signature(URL.encode() + signed))
    )
    whole = query.encode() + signed
    border = data.draw(st.integers(0, len(whole)).filter(lambda place: place != len(query)))
    rest = data.draw(recuts(whole[border:]))
    moved = request(rest, proof, whole[:border].decode())
    if signed_bytes(rest) == whole[border:] and is_accepted(moved):
        assert told(moved) == told(request(as_bytes(genuine), ""))


def moved(genuine: dict[str, str], **changed: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """Genuine fields, and others that make the same bytes."""
    return genuine, {name: value for name, value in {**genuine, **changed}.items() if value is not None}


FORGERIES = {
    "her text names another sender": moved(
        {**INCOMING, "Body": "STOPFrom+15551234567FromCityX"},
        Body="STOP",
        From="+15551234567",
        FromCity="XFrom+491701234567FromCityBERLIN",
    ),
    "her text is cut behind START": moved({**INCOMING, "Body": "START Date?"}, Body="START ", Date="?"),
    "the text goes into the version": moved(
        {**INCOMING, "Body": "STOP"}, ApiVersion="2010-04-01BodySTOP", Body=None
    ),
    "the sender goes into the text": moved(
        {**INCOMING, "OptOutType": "STOP"},
        Body="helloFrom+491701234567FromCityBERLINFromCountryDE",
        From=None,
        FromCity=None,
        FromCountry=None,
    ),
    "the opt-out loses a letter": moved({**INCOMING, "Body": "ARRET", "OptOutType": "STOP"}, OptOutType="STO", P=""),
    "the opt-out goes into a count": moved(
        {**INCOMING, "Body": "ARRET", "OptOutType": "STOP"}, NumSegments="1OptOutTypeSTOP", OptOutType=None
    ),
    "the code swallows its words": moved(
        {**STATUS, "ErrorMessage": "Gone"}, ErrorCode="30005ErrorMessageGone", ErrorMessage=None
    ),
    "the code goes into the version": moved(STATUS, ApiVersion="2010-04-01ErrorCode30005", ErrorCode=None),
    "the code goes into a name": moved(
        {**STATUS, "Channel": "SomeEa"}, Channel="Some", EaErrorCode30005="", ErrorCode=None
    ),
    "the status goes into the id": moved(
        STATUS, MessageSid=f"SM{SID}MessageStatusundelivered", MessageStatus=None
    ),
    "the number swallows its place": moved({**STATUS, "ToZip": "1"}, To="+491701234567ToZip1", ToZip=None),
    "the account goes into a value": moved(
        {**STATUS, "AccountNote": "x"}, AccountNote=f"xAccountSidAC{SID}", AccountSid=None
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", FORGERIES)
def test_what_is_read_cannot_be_moved_into_what_is_not_nor_made_of_it(how: str) -> None:
    genuine, forged = (as_bytes(fields) for fields in FORGERIES[how])
    assert signed_bytes(genuine) == signed_bytes(forged)
    proof = signature(URL.encode() + signed_bytes(genuine))
    assert told(request(genuine, proof)) != told(request(forged, proof))
    assert not is_accepted(request(forged, proof))


def test_the_url_of_json_is_never_a_form() -> None:
    query = f"tag=Zz&bodySHA256={'0' * 64}"
    proof = signature(f"{URL}?{query}".encode())
    assert not is_accepted(request([(b"Zz", query[6:].encode())], proof, "tag="))


def test_a_form_is_never_the_url_of_json() -> None:
    """With the hash of any JSON in the text that somebody sends us, its signature would have proved that JSON."""
    forged = b'[{"type":"com.twilio.messaging.message.undelivered","data":{"to":"+491709999999"}}]'
    digest = sha256(forged).hexdigest()
    fields = as_bytes({**INCOMING, "Body": f"&bodySHA256={digest}&x="})
    query = "campaign=1" + signed_bytes(fields).decode()
    proof = signature(f"{URL}?campaign=1".encode() + signed_bytes(fields))
    assert is_accepted(request(fields, proof, "campaign=1"))
    assert not is_accepted(msgspec.structs.replace(request([], proof, query), body=forged))


def test_the_ways_that_twilio_takes_are_accepted() -> None:
    for fields in (
        STATUS,
        INCOMING,
        {**INCOMING, "Body": "START", "OptOutType": "START"},
        {**INCOMING, "Body": "From here To there, ErrorCode 7"},
        {**STATUS, "From": "MyBrand"},
        {**STATUS, "From": "12345", "ErrorMessage": "The To number is not From a carrier"},
        {**STATUS, "To": "whatsapp:+491701234567", "From": "whatsapp:+15005550006", "ChannelPrefix": "whatsapp"},
        {**STATUS, "BrandNewParameter": "From tomorrow"},
    ):
        posted = as_bytes(fields)
        assert is_accepted(request(posted, signature(URL.encode() + signed_bytes(posted)))), fields


def test_a_name_that_repeats_is_signed_with_its_different_values_in_order() -> None:
    # By twilio's own library (RequestValidator) and by openssl: "AccountSidAC1MediaUrlaMediaUrlbMessageSidSM1To+1".
    fields = [
        (b"MediaUrl", b"b"), (b"To", b"+1"), (b"MediaUrl", b"a"), (b"MessageSid", b"SM1"), (b"MediaUrl", b"b"),
        (b"AccountSid", b"AC1"),
    ]  # fmt: skip
    source = msgspec.structs.replace(SOURCE, options={"url": "https://example.org/hook"})
    posted = request(fields, "jgl2U2ffeGCvzTcx9PavtIafaIg=")
    assert isinstance(PROVIDER.bind(source).authenticate(posted, now=NOW, certificates={}), Accepted)


@pytest.mark.parametrize("name", ["To", "From", "MessageStatus", "ErrorCode", "AccountSid", "Body"])
def test_a_name_that_is_read_has_one_value(name: str) -> None:
    fields = [*as_bytes({**STATUS, "Body": "a"}), (name.encode(), b"0" if name == "ErrorCode" else b"AC0")]
    verdict = PROVIDER.bind(SOURCE).authenticate(
        request(fields, signature(URL.encode() + signed_bytes(fields))), now=NOW, certificates={}
    )
    assert isinstance(verdict, Refused)
    assert verdict.reason == "ambiguous_form"

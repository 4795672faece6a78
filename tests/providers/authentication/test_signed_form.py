"""Mandrill's form has one field, so that what is signed behind the URL is that field's name and its value."""

import base64
import hmac
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.source import Secret, Source
from tests.properties import examples
from tests.providers.sample_events import NOW
from worker.providers.authentication.signed_form import signed_message
from worker.providers.vendors.mandrill import PROVIDER
from worker.providers.verdict import Refused
from worker.samples.mandrill import MandrillSamples

URL = "https://bouncekeeper.example.org/webhooks/mandrill"
SOURCE = Source(name="first", provider="mandrill", secrets=(Secret("k"),), options={"url": URL})
EVENTS = b"mandrill_events"


def outcome(fields: list[tuple[bytes, bytes]], signed: bytes, url: str = URL) -> str:
    """What becomes of a form under the signature of these bytes."""
    proof = base64.b64encode(hmac.digest(b"k", signed, "sha1")).decode()
    posted = msgspec.structs.replace(
        MandrillSamples().posted([]), body=urlencode(fields).encode(), headers={"x-mandrill-signature": proof}
    )
    source = msgspec.structs.replace(SOURCE, options={"url": url})
    verdict = PROVIDER.bind(source).authenticate(posted, now=NOW, certificates={})
    return verdict.reason if isinstance(verdict, Refused) else "accepted"


@given(
    events=st.lists(
        st.sampled_from([b"mandrill_events", b"[", b"]", b"{}", b"a", b"z", b"[]", b" "]), min_size=1, max_size=8
    ).map(b"".join),
    data=st.data(),
)
@settings(max_examples=examples(500))
def test_no_other_form_makes_the_same_bytes(events: bytes, data: st.DataObject) -> None:
    signed = URL.encode() + EVENTS + events
    behind = signed[len(URL) :]
    borders = sorted(data.draw(st.sets(st.integers(0, len(behind)), min_size=1, max_size=5)))
    pieces = [behind[start:end] for start, end in zip([0, *borders], [*borders, len(behind)], strict=True)]
    pieces += [b""] * (len(pieces) % 2)
    fields = list(zip(pieces[::2], pieces[1::2], strict=True))
    accepted = outcome(fields, signed) == "accepted"
    told = [field for field in fields if field != (b"", b"")]  # a pair of nothing is no field, and says nothing
    assert accepted is (told == [(EVENTS, events)])


@example(events=b"[1]")
@given(events=st.binary(min_size=1, max_size=30))
@settings(max_examples=examples(100))
def test_a_field_beside_the_events_is_refused_though_it_is_signed(events: bytes) -> None:
    for beside in ((b"a", b"1"), (b"z", b""), (EVENTS, events + b" ")):
        fields = [(EVENTS, events), beside]
        signed = URL.encode() + b"".join(name + value for name, value in sorted(fields))
        assert outcome(fields, signed) == "ambiguous_form"


@pytest.mark.parametrize("moved", range(1, 16))
def test_the_url_ends_where_the_operator_says(moved: int) -> None:
    signed = URL.encode() + EVENTS + b"[1]"
    assert outcome([(EVENTS, b"[1]")], signed) == "accepted"
    longer = URL + EVENTS[:moved].decode()
    assert outcome([(EVENTS[moved:], b"[1]")], signed, url=longer) == "ambiguous_form"


def test_a_name_that_repeats_is_signed_once_for_each_different_value() -> None:
    fields = [("b", b"2"), ("a", b"9"), ("b", b"1"), ("b", b"2")]
    assert signed_message("u", fields) == b"ua9b1b2"

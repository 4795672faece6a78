"""What a form of a vendor's is read as."""

from urllib.parse import quote_plus, unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import UnreadablePayload
from worker.providers.payload import form_payload
from worker.providers.payload.form_payload import FIELDS_LIMIT, decode_form


@given(st.dictionaries(st.text(min_size=1, max_size=80), st.text()))
def test_what_was_encoded_is_read_as_it_was(fields: dict[str, str]) -> None:
    fields = {name.encode("utf-8", "replace").decode(): value for name, value in fields.items()}
    assert decode_form(urlencode(fields, errors="replace").encode(), "form") == {
        name: value.encode("utf-8", "replace").decode() for name, value in fields.items()
    }


@given(st.lists(st.sampled_from([b"%", b"%3", b"%41", b"%2b", b"+", b"=", b"\r", b"\n", b"x", b"\xff"]), max_size=12))
def test_broken_escapes_stand_for_themselves(pieces: list[bytes]) -> None:
    value = b"".join(pieces)
    expected = unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")
    assert decode_form(b"field=" + value, "form") == {"field": expected}


def test_an_equals_sign_in_a_value_stays_there() -> None:
    assert decode_form(b"token=a=b%3Dc%25=", "form") == {"token": "a=b=c%="}


def test_of_two_fields_with_one_name_the_last_counts() -> None:
    assert decode_form(b"a=1&b=2&a=3&&c", "form") == {"a": "3", "b": "2", "c": ""}


def test_an_empty_body_has_no_fields() -> None:
    assert decode_form(b"", "form") == {}


def test_a_long_value_is_read_whole() -> None:
    text = '{"name": "Zoë & Ωmega"}' * 20_000
    assert decode_form(f"events={quote_plus(text)}".encode(), "form") == {"events": text}


def test_a_form_of_endless_fields_is_set_aside() -> None:
    assert len(decode_form(b"&".join(b"f%d=1" % number for number in range(FIELDS_LIMIT)), "form")) == FIELDS_LIMIT
    with pytest.raises(UnreadablePayload, match="1000 fields"):
        decode_form(b"&" * FIELDS_LIMIT, "form")


def test_a_field_with_an_endless_name_is_no_field() -> None:
    assert decode_form(b"%41" * 333 + b"=1", "form") == {"A" * 333: "1"}
    with pytest.raises(UnreadablePayload, match="1000 bytes"):
        decode_form(b"%41" * 334 + b"=1", "form")


@given(st.binary(max_size=300), st.integers(3, 40))
def test_a_large_form_is_unquoted_piece_by_piece_and_says_the_same(value: bytes, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form_payload, "_SLIPS_IN_BYTES", 0)
        patch.setattr(form_payload, "_PIECE_BYTES", piece)
        assert form_payload.decode_form_bytes(f"field={quote_plus(value)}".encode(), "form") == {"field": value}


def test_a_large_form_with_a_broken_escape_is_set_aside() -> None:
    long = b"x" * 70_000
    assert decode_form(b"a=%zz", "form") == {"a": "%zz"}
    with pytest.raises(UnreadablePayload, match="escapes nothing"):
        decode_form(b"a=%zz&b=" + long, "form")


def test_fields_are_picked_by_name_and_no_other_is_looked_at() -> None:
    body = b"a=1&%62=2&c=%zz" + b"x" * 70_000 + b"&a=3"
    assert form_payload.pick_form_pairs(body, "form", ("a", "b")) == [("a", b"1"), ("b", b"2"), ("a", b"3")]

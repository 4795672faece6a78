"""Vendors' JSON is read with tolerance, and what cannot be read says so."""

import json
from typing import Any

import pytest

from worker.errors import UnreadablePayload
from worker.providers.payload import json_payload


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "truncated"),
        (b'{"a":', "truncated"),
        (b'{"a":1}x', "trailing"),
        (b'{"a":NaN}', "malformed"),
        (b'{"a":1e999}', "range"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', "UTF-8"),
        (b'{"a":' * 100_000, "deeply"),
        (b"[1]", "expected a JSON object and found list"),
        (b"null", "object and found NoneType"),
        (b'"text"', "object"),
    ],
)
def test_what_is_no_object_is_unreadable_and_says_why(body: bytes, word: str) -> None:
    with pytest.raises(UnreadablePayload, match=rf"Some vendor's body: .*{word}"):
        json_payload.decode_object(body, "Some vendor's body")


def test_elements_keep_their_own_bytes() -> None:
    elements = json_payload.decode_array_of_raw(b' [ {"a" : 1} ,\r\n3, "\xff" ]\r\n', "body")
    assert [bytes(element) for element in elements] == [b'{"a" : 1}', b"3", b'"\xff"']


def test_a_bare_object_is_an_array_of_one() -> None:
    (element,) = json_payload.decode_array_of_raw(b' {"a":1}\n', "body")
    assert bytes(element) == b'{"a":1}'


@pytest.mark.parametrize("body", [b"", b"[", b"3", b"[1,]", b'{"a":', b"[" * 100_000, b"\xff"])
def test_what_is_neither_array_nor_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadablePayload, match="body: "):
        json_payload.decode_array_of_raw(body, "body")


def test_nul_characters_are_replaced_because_postgres_cannot_hold_them() -> None:
    assert json_payload.text({"a": "x\x00y"}, "a") == "x\ufffdy"
    assert json_payload.tags({"a": ["\x00"]}, "a") == ("\ufffd",)
    assert json_payload.metadata({"\x00": ["\x00", {"k": "\x00"}]}) == {"\ufffd": ["\ufffd", {"k": "\ufffd"}]}


def test_a_long_text_is_always_cut_to_the_same() -> None:
    cut = json_payload.text({"a": "x" * 5_000}, "a", 10)
    assert cut == "xxxxxxxxx…"
    assert json_payload.text({"a": "x" * 10}, "a", 10) == "x" * 10


@pytest.mark.parametrize(
    ("value", "text", "integer", "flag", "tags"),
    [
        ("550", "550", 550, False, ("550",)),
        ("five", "five", None, False, ("five",)),
        (550, "550", 550, False, ()),
        (True, None, None, True, ()),
        ("True", "True", None, True, ("True",)),
        ("", None, None, False, ()),
        (None, None, None, False, ()),
        (1.5, None, None, False, ()),
        (2**70, None, None, False, ()),
        ("9" * 40, "9" * 40, None, False, ("9" * 40,)),
        ("٣", "٣", None, False, ("٣",)),
        (["a", 1, "", "b"], None, None, False, ("a", "b")),
        ({"a": 1}, None, None, False, ()),
    ],
)
def test_a_value_of_another_type_is_left_out(
    value: Any,
    text: str | None,
    integer: int | None,
    flag: object,
    tags: tuple[str, ...],
) -> None:
    values = {"key": value}
    assert json_payload.text(values, "key") == text
    assert json_payload.integer(values, "key") == integer
    assert json_payload.flag(values, "key") is flag
    assert json_payload.tags(values, "key") == tags
    assert json_payload.text(values, "another") is None


def test_no_more_than_fifty_tags_are_kept() -> None:
    assert len(json_payload.tags({"a": ["t"] * 500}, "a")) == 50


def test_metadata_can_be_stored_as_json() -> None:
    assert json_payload.metadata({"id": 2**70, "small": 5, "flag": True}) == {
        "id": str(2**70),
        "small": 5,
        "flag": True,
    }
    deep = json.loads('{"a":' * 50 + "1" + "}" * 50)
    assert len(json.dumps(json_payload.metadata(deep))) < 200


@pytest.mark.parametrize("nothing", [{}, None, [], "text", 3])
def test_what_is_no_object_of_variables_is_no_metadata(nothing: Any) -> None:
    assert json_payload.metadata(nothing) is None


@pytest.mark.parametrize(
    "body",
    [b'[{"a":1},{"a":2}]', b'{"events":[{"a":1},{"a":2}]}', b'{"a":1}\n{"a":2}\n', b'\n{"a":1}\r\n\n{"a":2}'],
)
def test_elements_come_as_an_array_inside_an_object_or_one_on_each_line(body: bytes) -> None:
    found = json_payload.decode_elements(body, "Body", inside="events", lines=True)
    assert [bytes(element) for element in found] == [b'{"a":1}', b'{"a":2}']


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a", ["a"]),
        (["a", "b", "", 3, None, "a"], ["a", "b"]),
        ("", []),
        (None, []),
        ({"a": 1}, []),
    ],
)
def test_recipients_are_a_text_or_those_of_an_array(value: object, found: list[str]) -> None:
    assert json_payload.recipients(value) == found


def test_an_array_of_more_recipients_than_a_mail_can_have_is_none() -> None:
    with pytest.raises(UnreadablePayload, match="2000 recipients"):
        json_payload.recipients([str(number) for number in range(2_000)])


def test_an_object_without_the_field_is_one_element() -> None:
    (element,) = json_payload.decode_elements(b' {\n"a":1}\n', "Body", inside="events", lines=True)
    assert bytes(element) == b'{\n"a":1}'


def test_a_line_that_cannot_be_read_is_an_element_like_the_others() -> None:
    found = json_payload.decode_elements(b'{"a":1}\n{"a":\n{"a":3}', "Body", lines=True)
    assert [bytes(element) for element in found] == [b'{"a":1}', b'{"a":', b'{"a":3}']


@pytest.mark.parametrize("body", [b'{"a":\n1', b'{"events":3}', b'{"events":null}', b"null", b"", b'{"a":1}\xff{'])
def test_a_body_of_no_elements_says_so(body: bytes) -> None:
    with pytest.raises(UnreadablePayload, match="Body: "):
        json_payload.decode_elements(body, "Body", inside="events", lines=True)


def test_lines_are_read_only_where_the_vendor_posts_them() -> None:
    with pytest.raises(UnreadablePayload, match="trailing"):
        json_payload.decode_elements(b'{"a":1}\n{"a":2}', "Body", inside="events")

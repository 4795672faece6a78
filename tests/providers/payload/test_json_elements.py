"""JSON is taken apart by its brackets, whatever stands between them."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.payload.json_elements import split_array, split_object

_TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(['a"b', "\\", '\\"', "[{,", "]}", ":", "\n"]))
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXTS, inner, max_size=4)),
    max_leaves=20,
)
_INDENTS = st.sampled_from([None, 0, 2])
_ASCII = st.booleans()


@given(st.lists(_VALUES, max_size=6), _INDENTS, _ASCII)
def test_the_elements_of_an_array_are_its_own(values: list[Any], indent: int | None, ascii_only: Any) -> None:
    written = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    elements = split_array(written)
    assert elements is not None
    assert [json.loads(element) for element in elements] == values


@given(st.dictionaries(_TEXTS, _VALUES, max_size=6), _INDENTS)
def test_the_values_of_an_object_are_its_own(values: dict[str, Any], indent: int | None) -> None:
    members = split_object(json.dumps(values, indent=indent).encode(), most=9)
    assert members is not None
    assert {name: json.loads(value) for name, value in members.items()} == values


def test_what_no_decoder_takes_is_an_element_like_others() -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    bad = [b'{"a":"\\ud800"}', b'{"a":NaN}', b"-Infinity", b'"\xff"', deep, b"{'a':1}", b"[}"]
    assert split_array(b"[" + b" , ".join([b"1", *bad, b"2"]) + b"]") == [b"1", *bad, b"2"]
    assert split_object(b'{"a":NaN,"events":[1]}', most=9) == {"a": b"NaN", "events": b"[1]"}


@pytest.mark.parametrize(
    "text",
    [b"", b"[", b"[1,]", b"[1,,2]", b"[,1]", b"[,]", b"[1]x", b"{}", b"]", b'["', b"[[]", b"[" * 100_000, b'["a]'],
)
def test_what_is_no_array_with_its_end_has_no_elements(text: bytes) -> None:
    assert split_array(text) is None


@pytest.mark.parametrize("text", [b"", b"{", b'{"a"}', b"{a:1}", b"[]", b'{"a":1}x', b'{"a":1,}'])
def test_what_is_no_object_with_its_end_has_no_values(text: bytes) -> None:
    assert split_object(text, most=9) is None


def test_an_empty_array_has_none() -> None:
    assert split_array(b" [ ] ") == []
    assert split_object(b"{}", most=9) == {}
    assert split_object(b'{"a":1,"b":2}', most=1) is None


def test_a_text_that_never_ends_is_looked_through_once() -> None:
    started = time.process_time()
    assert split_array(b'["' + b'\\"' * 1_000_000) is None
    assert time.process_time() - started < 5  # not the square of it

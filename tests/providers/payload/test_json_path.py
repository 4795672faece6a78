"""Names with dots find what JMESPath finds; nothing that is searched raises."""

import json
from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.payload.json_path import compile_path

NAMES = st.sampled_from(["a", "b", "c_d", "A1"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(names=st.lists(NAMES, min_size=1, max_size=4), document=DOCUMENTS)
def test_names_with_dots_find_what_jmespath_finds(names: list[str], document: Any) -> None:
    expression = ".".join(names)
    assert compile_path(expression).search(document) == jmespath.search(expression, document)


@pytest.mark.parametrize(
    "expression", ["a[0].b", "a || b", '"x.y"', "sort_by(a, &b)", "length(a)", "sum(a)", "a[?b > `1`]"]
)
@given(document=DOCUMENTS)
def test_no_document_makes_an_expression_raise(expression: str, document: Any) -> None:
    compile_path(expression).search(document)


def test_an_expression_finds_by_the_whole_language() -> None:
    document = json.loads('{"a": [{"b": 1}, {"b": 2}], "x.y": 3}')
    assert compile_path("a[?b > `1`].b | [0]").search(document) == 2
    assert compile_path('"x.y"').search(document) == 3


@pytest.mark.parametrize("expression", ["", "a[", "a..b", "no_such(a", "1a"])
def test_what_is_no_expression_is_reported(expression: str) -> None:
    with pytest.raises(ValueError, match="is not a JMESPath expression"):
        compile_path(expression)

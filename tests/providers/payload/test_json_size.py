"""How many values a JSON text holds is told without decoding it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.payload.test_json_elements import _VALUES
from worker.errors import UnreadablePayload
from worker.providers.payload import json_size
from worker.providers.payload.json_size import check_values, count_values


def marks(value: Any) -> int:
    """What is counted, of a value that was decoded."""
    if isinstance(value, dict):
        value = list(value.values())
    elif not isinstance(value, list):
        return 0
    return 1 + max(0, len(value) - 1) + sum(marks(inner) for inner in value)


@given(_VALUES, st.sampled_from([1, 2, 3, 7, 64 * 1024]))
def test_marks_outside_of_texts_are_counted_whatever_the_texts_hold(value: Any, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_size, "_WINDOW_BYTES", window)
        assert count_values(json.dumps(value).encode(), stop_above=10_000) == marks(value)


def test_a_body_of_more_values_is_unreadable_and_one_of_long_texts_is_not() -> None:
    check_values(b"[" + b"0," * 998 + b"0]", "body", most=1_000)
    with pytest.raises(UnreadablePayload, match="body: it holds more than 1,000 values"):
        check_values(b"[" + b"0," * 1_001 + b"0]", "body", most=1_000)
    check_values(json.dumps(['[{,\\"' * 10_000]).encode(), "body", most=1_000)

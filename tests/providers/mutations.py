"""Payloads with something wrong in them, drawn by hypothesis."""

from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def mutated(value: Any, path: list[int], replacement: Any) -> Any:
    """The value with one place inside, found by walking along `path`, replaced."""
    if not path or not isinstance(value, (dict, list)) or not value:
        return replacement
    if isinstance(value, dict):
        key = sorted(value)[path[0] % len(value)]
        return {**value, key: mutated(value[key], path[1:], replacement)}
    place = path[0] % len(value)
    return [*value[:place], mutated(value[place], path[1:], replacement), *value[place + 1 :]]

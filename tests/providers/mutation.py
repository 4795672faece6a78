"""Documents of vendors, spoilt at random."""

import json
from typing import Any

from hypothesis import strategies as st

_ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, 2**70, -(2**70), 10**18, 1e308, -1.5, 1772600767123]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=30),
    st.sampled_from(["\x00", "a\x00b@example.org", "\u2028", "😀" * 10, "x" * 5_000, "5.1.1", "9" * 60, "@", "<>"]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    st.integers(1, 30).map(lambda depth: json.loads("[" * depth + "]" * depth)),
)


@st.composite
def mutated(draw: st.DrawFn, documents: list[Any]) -> Any:
    """A document with up to four of its values removed or replaced, at any depth."""
    document = json.loads(json.dumps(draw(st.sampled_from(documents))))
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(document))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        if isinstance(container, dict) and draw(st.booleans()):
            del container[key]
        else:
            container[key] = draw(_ODD_VALUES)
    return document


def _places(document: Any) -> list[tuple[Any, Any]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        items = [(document, key) for key in document]
    elif isinstance(document, list):
        items = [(document, position) for position in range(len(document))]
    return items + [place for container, key in items for place in _places(container[key])]

"""Options are declared once: how each is read, what is told of a mistake, and what a source has not got."""

from typing import Any

import pytest

from schemas.source import Source
from worker.providers.authentication.source_options import (
    Option,
    check_options,
    checked_elsewhere,
    flag,
    seconds,
    texts,
)

PATIENCE = seconds("patience_seconds", 30)
LOUD = flag("loud")
NAMES = texts("names")


def source_with(**options: Any) -> Source:
    return Source(name="s", provider="pigeon", options=options)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        (PATIENCE, 5, 5),
        (PATIENCE, 0, 30),
        (PATIENCE, True, 30),
        (PATIENCE, "5", 30),
        (LOUD, True, True),
        (LOUD, "true", False),
        (NAMES, ["a", "b"], ("a", "b")),
        (NAMES, [1, 2], ("1", "2")),
        (NAMES, "ab", ("ab",)),
        (NAMES, "", ()),
    ],
)
def test_an_option_is_read_in_its_own_type(option: Option[Any], value: object, expected: object) -> None:
    assert option.of(source_with(**{option.name: value})) == expected


@pytest.mark.parametrize(("option", "default"), [(PATIENCE, 30), (LOUD, False), (NAMES, ())])
def test_an_option_that_is_left_out_has_its_default(option: Option[Any], default: object) -> None:
    assert option.of(source_with()) == default
    assert check_options(source_with(), [option]) == []


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        (PATIENCE, 0, "patience_seconds = 0: give a whole number of seconds above 0"),
        (PATIENCE, "5", "patience_seconds = '5': give a whole number of seconds above 0"),
        (LOUD, 1, "loud must be true or false, without quotes"),
        (NAMES, "ab", 'names is one text: write a list, names = ["…"]'),
    ],
)
def test_a_mistake_is_reported_with_its_remedy(option: Option[Any], value: object, told: str) -> None:
    assert check_options(source_with(**{option.name: value}), [option]) == [told]


def test_a_name_that_is_not_known_is_reported_with_the_nearest_one() -> None:
    (told,) = check_options(source_with(name=["a"]), [PATIENCE, NAMES])
    assert told == "name is not known to pigeon: did you mean names?"
    (told,) = check_options(source_with(weight=7), [PATIENCE, LOUD])
    assert told == "weight is not known to pigeon: it knows loud, patience_seconds"
    (told,) = check_options(source_with(colour="red"), [])
    assert told == "colour is not known to pigeon: it has no settings of its own"


def test_what_is_checked_elsewhere_is_not_reported_twice() -> None:
    anything = checked_elsewhere("anything", None, lambda value: value if isinstance(value, str) else None)
    assert check_options(source_with(anything=7), [anything]) == []
    assert anything.of(source_with(anything=7)) is None

"""How thoroughly properties are tried: in full by `make test`, with a tenth of the examples by `make test-fast`."""

import os
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

FAST, THOROUGH = "fast", "thorough"


def load_profiles() -> None:
    """Makes both known, the thorough one in force until `--hypothesis-profile` names another.

    Nothing is said about an example's time: a machine that does other work as well would fail it. On a build machine
    (CI is set) the examples are the same in each run.
    """
    parent = settings.get_profile("ci" if os.environ.get("CI") else "default")
    patient = settings(parent, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(THOROUGH, patient)
    settings.register_profile(FAST, patient, max_examples=10)
    settings.load_profile(THOROUGH)


def examples(count: int) -> int:
    """What a property gives as max_examples: `count`, or a tenth of it for the fast profile."""
    return max(count // 10, 5) if settings.get_current_profile_name() == FAST else count


def few(values: Iterable[Any], count: int, *, one_name: bool = True) -> list[Any]:
    """Values of a parameter, of which `make test-fast` tries so many, spread over all of them: the others are slow.

    For `parametrize` with one name; with several, `one_name` is False.
    """
    every = list(values)
    tried = {round(place * (len(every) - 1) / max(count - 1, 1)) for place in range(count)}
    return [
        value if number in tried else pytest.param(*([value] if one_name else value), marks=pytest.mark.slow)
        for number, value in enumerate(every)
    ]

"""Durations, as written in a policy."""

from datetime import timedelta

import pytest

from worker.policy.duration import read_duration, write_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("45s", timedelta(seconds=45)),
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("0s", timedelta(0)),
        ("forever", None),
    ],
)
def test_a_duration_is_read_and_written_back(text: str, duration: timedelta | None) -> None:
    assert read_duration(text) == duration
    assert write_duration(duration) == text


def test_a_duration_is_written_in_the_greatest_unit_that_is_exact() -> None:
    assert write_duration(timedelta(hours=48)) == "2d"
    assert write_duration(timedelta(minutes=61)) == "61m"


@pytest.mark.parametrize("text", ["", "d", "3", "3w", "3 d", " 3d", "3d ", "-3d", "1.5d", "٣d", "3D", "36501d"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|hundred years"):
        read_duration(text)

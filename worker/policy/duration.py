"""Durations as a policy writes them: `45s`, `90m`, `12h`, `30d`, `forever`."""

import re
from datetime import timedelta

FOREVER = "forever"
LONGEST = timedelta(days=36_500)  # a hundred years: more is a typo, because there is `forever`

_DURATION = re.compile(r"([0-9]{1,9})([smhd])\Z")
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


def read_duration(text: str) -> timedelta | None:
    """The duration, or None for `forever`. Raises ValueError if the text is not a duration."""
    if text == FOREVER:
        return None
    match = _DURATION.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration")
    duration = int(match[1]) * _UNITS[match[2]]
    if duration > LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return duration


def write_duration(duration: timedelta | None) -> str:
    """The duration in the largest unit that is exact; fractions of a second are cut off."""
    if duration is None:
        return FOREVER
    for letter, unit in _UNITS.items():
        if duration and duration % unit == timedelta(0):
            return f"{duration // unit}{letter}"
    return f"{duration // timedelta(seconds=1)}s"

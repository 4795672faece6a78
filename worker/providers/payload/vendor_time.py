"""Reads vendors' times as aware UTC datetimes; a text that is not a time gives None, never an error."""

from datetime import UTC, datetime
from functools import lru_cache

# E-mail webhooks are younger than this, and no event is later.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_EARLIEST_SECONDS = int(_EARLIEST.timestamp())
_LATEST_SECONDS = int(_LATEST.timestamp())

# A number above this counts milliseconds: as seconds it would be in the year 5138.
_MILLISECONDS_ABOVE = 100_000_000_000
_LONGEST_TEXT = 40


def from_unix_seconds(value: object) -> datetime | None:
    """Seconds since 1970 (milliseconds when there are 12 digits or more), as a number or its decimal text."""
    if type(value) is int and _EARLIEST_SECONDS <= value < _LATEST_SECONDS:
        return _from_whole_seconds(value)
    if isinstance(value, str):
        number = _number(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = value
    else:
        return None
    if number is None:
        return None
    if number > _MILLISECONDS_ABOVE:
        number = number / 1000 if number < _MILLISECONDS_ABOVE * 1000 else _MILLISECONDS_ABOVE
    if not _EARLIEST_SECONDS <= number < _LATEST_SECONDS:  # not-a-number ends here too
        return None
    return datetime.fromtimestamp(number, UTC)


@lru_cache(maxsize=4096)
def _from_whole_seconds(seconds: int) -> datetime:
    """Cached, because the events of a batch share few seconds, and so do the batches of busy senders."""
    return datetime.fromtimestamp(seconds, UTC)


def _number(text: str) -> float | None:
    if len(text) > _LONGEST_TEXT:
        return None
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return None


def from_iso(text: object) -> datetime | None:
    """An ISO 8601 time with any number of fraction digits; without a zone it is UTC."""
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # overflow: an offset beyond the calendar
        return None
    return time if _EARLIEST <= time < _LATEST else None


def settle_occurred_at(vendor_time: datetime | None, received_at: datetime) -> tuple[datetime, bool]:
    """The time of the event, and True if that is only its time of arrival.

    A vendor's clock that runs ahead must not date an event into the future, where it would come after everything that
    really follows.
    """
    if vendor_time is None or vendor_time > received_at:
        return received_at, True
    return vendor_time, False

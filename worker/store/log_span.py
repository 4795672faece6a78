"""A part of a contact's log, from one place to another."""

from datetime import UTC, datetime

from msgspec import Struct

Place = tuple[datetime, int, bytes]  # (occurred_at, rank, entry key)

BEGINNING: Place = (datetime.min.replace(tzinfo=UTC), -1, b"")
END: Place = (datetime.max.replace(tzinfo=UTC), 0, b"")


class Span(Struct, frozen=True, kw_only=True):
    """The log between two places, both excluded."""

    after: Place = BEGINNING
    before: Place = END


def from_time(time: datetime | None) -> Place:
    """The place before everything that occurred at this time or later."""
    return BEGINNING if time is None else (time, -1, b"")

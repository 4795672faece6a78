"""Checks times in requests: they must be fit to be compared, stored and shown."""

from datetime import UTC, datetime, timedelta

from worker.errors import RequestRefused

_AHEAD = timedelta(days=1)  # of our clock: enough for a date without a time, in any zone
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)  # that both Python and Postgres can hold


def require_zone(kind: str, name: str, when: datetime) -> None:
    """Returns if the time names its zone. Raises RequestRefused of this kind."""
    if when.tzinfo is None:
        raise RequestRefused(kind, f"`{name}` has no time zone.", remedy="Send it as 2030-01-31T00:00:00Z.")


def require_no_later_than_now(kind: str, name: str, when: datetime, now: datetime, *, remedy: str) -> None:
    """Returns if the time, which names its zone, is in the past. Raises RequestRefused of this kind."""
    if when > now + _AHEAD:
        raise RequestRefused(kind, f"`{name}` is {when.isoformat()}, which is ahead.", remedy=remedy)
    if when < _EARLIEST:
        raise RequestRefused(kind, f"`{name}` is {when.isoformat()}, before there was such mail.", remedy=remedy)


def require_ahead(kind: str, name: str, when: datetime, now: datetime) -> None:
    """Returns if the time, which names its zone, is ahead and can be stored. Raises RequestRefused of this kind."""
    if when <= now:
        raise RequestRefused(
            kind, f"`{name}` is {when.isoformat()}, which is past.", remedy="Name a time ahead, or none."
        )
    if when > _LATEST:
        raise RequestRefused(
            kind, f"`{name}` is {when.isoformat()}, which is too far.", remedy="Leave it out: then it has no end."
        )

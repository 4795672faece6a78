"""Checks whether a signed time is recent enough: an older request is a replay."""

from datetime import datetime, timedelta

from msgspec import Struct

from schemas.source import Source
from worker.providers.authentication.source_options import seconds
from worker.providers.verdict import Refused

# How much a vendor's clock may be ahead of ours, as in the vendors' own libraries.
DEFAULT_MAX_AHEAD_SECONDS = 300

MAX_AGE = seconds("max_age_seconds", None)  # each scheme has its own default
MAX_AHEAD = seconds("max_ahead_seconds", DEFAULT_MAX_AHEAD_SECONDS)
TIME_OPTIONS = (MAX_AGE, MAX_AHEAD)  # of every scheme that signs a time


class Freshness(Struct, frozen=True, kw_only=True):
    """How much a signed time may differ from ours."""

    max_age_seconds: int
    max_ahead_seconds: int = DEFAULT_MAX_AHEAD_SECONDS

    @property
    def seconds_of_use(self) -> int:
        """How long after its arrival a request with a signed time could be accepted again."""
        return self.max_age_seconds + self.max_ahead_seconds


def freshness_of(source: Source, *, default_max_age_seconds: int) -> Freshness:
    """The source's `max_age_seconds` and `max_ahead_seconds`."""
    return Freshness(
        max_age_seconds=MAX_AGE.of(source) or default_max_age_seconds, max_ahead_seconds=MAX_AHEAD.of(source)
    )


def refuse_stale(signed_at: datetime, freshness: Freshness, *, now: datetime) -> Refused | None:
    """None if the time is fresh."""
    age = now - signed_at
    if age > timedelta(seconds=freshness.max_age_seconds):
        return _stale(signed_at, now, f"older than {MAX_AGE.name} = {freshness.max_age_seconds}: a replay")
    if age < -timedelta(seconds=freshness.max_ahead_seconds):
        return _stale(signed_at, now, f"more than {MAX_AHEAD.name} = {freshness.max_ahead_seconds} ahead: a forgery")
    return None


def refuse_expired(expires: datetime, freshness: Freshness, *, now: datetime) -> Refused | None:
    """None until the vendor's signature expires; clocks may differ by `max_ahead_seconds`."""
    if now <= expires + timedelta(seconds=freshness.max_ahead_seconds):
        return None
    return Refused(
        reason="stale",
        detail=f"the signature expired at {expires:%Y-%m-%d %H:%M:%S} UTC: a replay, or this machine's clock is wrong",
    )


def _stale(signed_at: datetime, now: datetime, why: str) -> Refused:
    return Refused(
        reason="stale",
        detail=f"signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, and this machine has {now:%H:%M:%S}: {why}, or this "
        "machine's clock is wrong",
    )

"""Whether a signed time is recent enough: what is older is a replay."""

from datetime import datetime, timedelta

from schemas.source import Source
from worker.providers.authentication.source_options import seconds_option
from worker.providers.provider import Refused

MAX_AGE_OPTION = "max_age_seconds"
MAX_AHEAD_OPTION = "max_ahead_seconds"
TIME_OPTIONS = (MAX_AGE_OPTION, MAX_AHEAD_OPTION)  # of every provider whose vendor signs a time

# A vendor's clock may be ahead of ours by so much, as in the vendors' own libraries.
DEFAULT_MAX_AHEAD_SECONDS = 300


def refuse_stale(signed_at: datetime, source: Source, *, now: datetime, default_max_age_seconds: int) -> Refused | None:
    """None when the time lies within the source's `max_age_seconds` and `max_ahead_seconds`."""
    max_age_seconds = seconds_option(source, MAX_AGE_OPTION, default_max_age_seconds)
    max_ahead_seconds = seconds_option(source, MAX_AHEAD_OPTION, DEFAULT_MAX_AHEAD_SECONDS)
    age = now - signed_at
    if age > timedelta(seconds=max_age_seconds):
        return _stale(signed_at, now, f"older than {MAX_AGE_OPTION} = {max_age_seconds}: a replay")
    if age < -timedelta(seconds=max_ahead_seconds):
        return _stale(signed_at, now, f"more than {MAX_AHEAD_OPTION} = {max_ahead_seconds} ahead: a forgery")
    return None


def refuse_expired(expires: datetime, source: Source, *, now: datetime) -> Refused | None:
    """None until the time at which the vendor lets its signature end; clocks may differ by `max_ahead_seconds`."""
    max_ahead_seconds = seconds_option(source, MAX_AHEAD_OPTION, DEFAULT_MAX_AHEAD_SECONDS)
    if now <= expires + timedelta(seconds=max_ahead_seconds):
        return None
    return Refused(
        reason="stale",
        detail=f"the signature ended at {expires:%Y-%m-%d %H:%M:%S} UTC, as it says itself: a replay, or this "
        "machine's clock is wrong",
    )


def seconds_of_use(source: Source, *, default_max_age_seconds: int) -> int:
    """For how long after its arrival a request with a signed time may be accepted again."""
    return seconds_option(source, MAX_AGE_OPTION, default_max_age_seconds) + seconds_option(
        source, MAX_AHEAD_OPTION, DEFAULT_MAX_AHEAD_SECONDS
    )


def _stale(signed_at: datetime, now: datetime, why: str) -> Refused:
    return Refused(
        reason="stale",
        detail=f"signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, and this machine has {now:%H:%M:%S}: {why}, or this "
        "machine's clock is wrong",
    )

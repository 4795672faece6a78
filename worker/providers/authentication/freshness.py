"""Whether a signed time is recent enough: what is older is a replay."""

from datetime import datetime, timedelta

from schemas.source import Source
from worker.providers.authentication.source_options import seconds_option
from worker.providers.provider import Refused

# A vendor's clock may be ahead of ours by so much.
CLOCK_SLACK_SECONDS = 3600

MAX_AGE_OPTION = "max_age_seconds"


def refuse_stale(
    signed_at: datetime | None, source: Source, *, now: datetime, default_max_age_seconds: int
) -> Refused | None:
    """None when the time lies within the source's `max_age_seconds`, or at most an hour ahead."""
    max_age_seconds = seconds_option(source, MAX_AGE_OPTION, default_max_age_seconds)
    if signed_at is None:
        return Refused(reason="stale", detail="the signed time cannot be read: the request is not the vendor's")
    age = now - signed_at
    if -timedelta(seconds=CLOCK_SLACK_SECONDS) <= age <= timedelta(seconds=max_age_seconds):
        return None
    return Refused(
        reason="stale",
        detail=f"signed at {signed_at:%Y-%m-%d %H:%M:%S} UTC, outside of max_age_seconds = {max_age_seconds}: "
        "a replay, or this machine's clock is wrong",
    )

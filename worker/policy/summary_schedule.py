"""When an account's daily summary is due: once on each date of its time zone, from a full hour on."""

from datetime import UTC, date, datetime, time, tzinfo

from msgspec import Struct


class SummaryDay(Struct, frozen=True, kw_only=True):
    """A date on which a summary is due, and since when."""

    local_date: date
    due_at: datetime


def summary_day(now: datetime, *, zone: tzinfo, hour: int) -> SummaryDay | None:
    """The date in `zone` whose summary is due at `now`, or None if its hour has not come yet.

    It stays due until midnight; what was missed until then is told by the next one.
    """
    local_date = now.astimezone(zone).date()
    due_at = hour_of_day(local_date, hour, zone=zone)
    return SummaryDay(local_date=local_date, due_at=due_at) if now >= due_at else None


def hour_of_day(local_date: date, hour: int, *, zone: tzinfo) -> datetime:
    """The instant of this hour. Of an hour that comes twice, the first; one that is skipped begins when it would have.

    A skipped hour is read with the offset before the change (PEP 495, fold=0): 02:00 is when the clock jumps to 03:00.
    """
    return datetime.combine(local_date, time(hour), tzinfo=zone).astimezone(UTC)

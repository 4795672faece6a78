"""When a daily summary is due: once on each date of the account's zone, whatever its clocks do."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties import examples
from worker.policy.summary_schedule import hour_of_day, summary_day


@pytest.mark.parametrize(
    ("zone", "day", "hour", "instant"),
    [
        ("America/New_York", "2026-03-07", 8, "2026-03-07T13:00Z"),
        ("America/New_York", "2026-03-08", 8, "2026-03-08T12:00Z"),  # the clocks went forward at 02:00
        ("America/New_York", "2026-10-31", 8, "2026-10-31T12:00Z"),
        ("America/New_York", "2026-11-01", 8, "2026-11-01T13:00Z"),  # and back
        ("America/New_York", "2026-03-08", 2, "2026-03-08T07:00Z"),  # 02:00 does not exist: 03:00 follows 01:59
        ("America/New_York", "2026-11-01", 1, "2026-11-01T05:00Z"),  # 01:00 comes twice: the first
        ("Europe/Berlin", "2026-03-28", 8, "2026-03-28T07:00Z"),
        ("Europe/Berlin", "2026-03-29", 8, "2026-03-29T06:00Z"),
        ("Europe/Berlin", "2026-10-25", 8, "2026-10-25T07:00Z"),
        ("Europe/Berlin", "2026-10-25", 2, "2026-10-25T00:00Z"),
        ("Asia/Tokyo", "2026-03-29", 8, "2026-03-28T23:00Z"),
        ("Asia/Kathmandu", "2026-07-01", 8, "2026-07-01T02:15Z"),
        ("America/Santiago", "2026-09-06", 0, "2026-09-06T04:00Z"),  # there is no midnight on this day
    ],
)
def test_the_hour_of_a_day_is_this_instant(zone: str, day: str, hour: int, instant: str) -> None:
    assert hour_of_day(date.fromisoformat(day), hour, zone=ZoneInfo(zone)) == datetime.fromisoformat(instant)


def test_a_summary_is_due_from_its_hour_until_midnight() -> None:
    zone = ZoneInfo("America/New_York")
    hour = datetime(2026, 7, 1, 12, tzinfo=UTC)

    assert summary_day(hour - timedelta(microseconds=1), zone=zone, hour=8) is None
    due = summary_day(hour, zone=zone, hour=8)
    assert due is not None
    assert (due.local_date, due.due_at) == (date(2026, 7, 1), hour)
    assert summary_day(datetime(2026, 7, 2, 3, 59, tzinfo=UTC), zone=zone, hour=8) == due
    assert summary_day(datetime(2026, 7, 2, 4, 0, tzinfo=UTC), zone=zone, hour=8) is None


@given(
    zone=st.sampled_from(
        ["America/New_York", "Europe/Berlin", "Asia/Tokyo", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo"]
    ),
    hour=st.integers(0, 23),
    start=st.dates(date(2024, 1, 1), date(2027, 12, 1)),
)
@settings(max_examples=examples(60))
def test_someone_who_looks_every_ten_minutes_finds_each_date_due_once_in_order(
    zone: str, hour: int, start: date
) -> None:
    here = ZoneInfo(zone)
    first = datetime(start.year, start.month, start.day, 12, tzinfo=UTC)
    seen: dict[date, datetime] = {}
    for step in range(5 * 24 * 6):
        now = first + timedelta(minutes=10 * step)
        due = summary_day(now, zone=here, hour=hour)
        if due is not None:
            assert due.due_at <= now
            assert due.local_date == now.astimezone(here).date()
            assert seen.setdefault(due.local_date, due.due_at) == due.due_at
    dates = sorted(seen)
    assert dates == [dates[0] + timedelta(days=step) for step in range(len(dates))]
    assert len(dates) >= 5
    gaps = [later - earlier for earlier, later in zip(seen.values(), list(seen.values())[1:], strict=False)]
    assert all(timedelta(hours=23) <= gap <= timedelta(hours=25) for gap in gaps)

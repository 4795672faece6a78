"""Vendors' times become aware UTC datetimes, or None; never an error."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.providers.payload.vendor_time import from_iso, from_unix_seconds, settle_occurred_at

MOMENT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECONDS = int(MOMENT.timestamp())


@pytest.mark.parametrize("value", [SECONDS, float(SECONDS), str(SECONDS), f"{SECONDS}.0", SECONDS * 1000])
def test_seconds_and_milliseconds_are_understood_as_number_and_as_text(value: Any) -> None:
    assert from_unix_seconds(value) == MOMENT


def test_fractions_of_a_second_are_kept() -> None:
    assert from_unix_seconds(SECONDS + 0.25) == MOMENT + timedelta(milliseconds=250)
    assert from_unix_seconds(SECONDS * 1000 + 250) == MOMENT + timedelta(milliseconds=250)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, "", "soon", "nan", "inf", float("nan"), float("inf"), -1, 0, 2**80, 10**400),
        *(1e300, [], {}, "9" * 50, "1_772", SECONDS * 10**6, b"1772600767"),
    ],
)
def test_an_unusable_number_of_seconds_is_not_read(value: Any) -> None:
    assert from_unix_seconds(value) is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04T05:06:07Z",
        "2026-03-04T05:06:07.000Z",
        "2026-03-04T05:06:07.0000000Z",
        "2026-03-04T05:06:07+00:00",
        "2026-03-04T00:06:07-05:00",
        "2026-03-04T10:36:07.0+05:30",
        "2026-03-04T05:06:07",
        "2026-03-04 05:06:07",
        " 2026-03-04T05:06:07Z ",
    ],
)
def test_every_way_of_writing_the_moment_is_the_moment(text: str) -> None:
    moment = from_iso(text)
    assert moment == MOMENT
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *(None, 5, True, "", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30", "1970-01-01T00:00:00Z"),
        *("9999-12-31", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", b"2026-03-04"),
        "2026-03-04T05:06:07Z" + "0" * 50,
    ],
)
def test_an_unusable_time_is_not_read(text: Any) -> None:
    assert from_iso(text) is None


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans(), st.binary()))
def test_nothing_is_ever_an_error(value: Any) -> None:
    for time in (from_unix_seconds(value), from_iso(value)):
        assert time is None or time.utcoffset() == timedelta(0)


def test_the_vendors_time_is_believed_up_to_the_arrival() -> None:
    assert settle_occurred_at(MOMENT - timedelta(days=1), MOMENT) == (MOMENT - timedelta(days=1), False)
    assert settle_occurred_at(MOMENT, MOMENT) == (MOMENT, False)


def test_a_missing_or_future_time_becomes_that_of_the_arrival() -> None:
    assert settle_occurred_at(None, MOMENT) == (MOMENT, True)
    assert settle_occurred_at(MOMENT + timedelta(microseconds=1), MOMENT) == (MOMENT, True)

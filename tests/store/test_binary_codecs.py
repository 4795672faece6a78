"""Times and JSON on their way to Postgres and back, compared with what asyncpg itself sends and reads."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.store.binary_codecs import BINARY_CODECS, without_nul
from worker.store.pool import Pool

encode_time, decode_time = BINARY_CODECS["timestamptz"]
encode_json, decode_json = BINARY_CODECS["jsonb"]

_OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC) | _OFFSETS)  # noqa: DTZ001 - bounds are naive
TEXTS = st.text(st.characters(codec="utf-8"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=10,
)
ODD_TIMES = [
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC),
    datetime.max.replace(tzinfo=UTC),
]


@given(TIMES)
def test_every_time_comes_back_in_utc_to_the_microsecond(at: datetime) -> None:
    back = decode_time(encode_time(at))

    assert back == at
    assert back.tzinfo is UTC


@given(TIMES, _OFFSETS)
def test_one_moment_has_one_encoding_whatever_its_offset(at: datetime, offset: timezone) -> None:
    assert encode_time(at) == encode_time(at.astimezone(offset))


@pytest.mark.parametrize("at", ODD_TIMES, ids=str)
async def test_times_are_to_postgres_what_asyncpg_makes_of_them(pool: Pool, database_dsn: str, at: datetime) -> None:
    plain = await asyncpg.connect(database_dsn)
    try:
        text = "SELECT timezone('UTC', $1::timestamptz)::text"
        theirs = await plain.fetchval(text, at)
        async with pool.acquire() as ours:
            assert await ours.fetchval(text, at) == theirs
            assert await ours.fetchval("SELECT $1::timestamptz", at) == at
            assert await ours.fetchval("SELECT $1::timestamptz[]", [at, None]) == [at, None]
    finally:
        await plain.close()


async def test_infinity_is_the_end_of_the_calendar(pool: Pool) -> None:
    assert await pool.fetchval("SELECT 'infinity'::timestamptz") == datetime.max.replace(tzinfo=UTC)
    assert await pool.fetchval("SELECT '-infinity'::timestamptz") == datetime.min.replace(tzinfo=UTC)


def test_the_hour_that_autumn_repeats_is_two_hours() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    second = first.replace(fold=1)
    assert first == second, "the trap: they are equal, and no cache may take one for the other"
    assert decode_time(encode_time(second)) - decode_time(encode_time(first)) == timedelta(hours=1)


async def test_a_time_without_an_offset_is_refused(pool: Pool) -> None:
    with pytest.raises(asyncpg.DataError, match="offset"):
        await pool.fetchval("SELECT $1::timestamptz", datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


@given(JSON)
def test_json_comes_back_without_nul_alone(value: object) -> None:
    assert decode_json(encode_json(value)) == _without_nul(value)


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return without_nul(value)
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    if isinstance(value, dict):
        return {without_nul(key): _without_nul(one) for key, one in value.items()}
    return value

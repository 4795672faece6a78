"""A signed time is good for as long as the source says, and hardly ahead of our own clock."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.source import Source
from worker.providers.authentication.freshness import freshness_of, refuse_expired, refuse_stale

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def stale(signed_at: datetime, **options: object) -> bool:
    source = Source(name="s", provider="p", options=options)
    refused = refuse_stale(signed_at, freshness_of(source, default_max_age_seconds=300), now=NOW)
    assert refused is None or refused.reason == "stale"
    return refused is not None


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [(0, False), (300, False), (300.5, True), (-300, False), (-300.5, True)],
)
def test_a_time_is_good_from_five_minutes_ahead_to_the_greatest_age(age_seconds: float, *, expected: bool) -> None:
    assert stale(NOW - timedelta(seconds=age_seconds)) is expected


def test_the_sources_option_is_believed_over_the_providers_default() -> None:
    assert not stale(NOW - timedelta(hours=1), max_age_seconds=3_600)
    assert stale(NOW - timedelta(minutes=2), max_age_seconds=60)
    assert not stale(NOW + timedelta(hours=1), max_ahead_seconds=3_600)
    assert stale(NOW + timedelta(minutes=2), max_ahead_seconds=60)


@pytest.mark.parametrize("unusable", [0, -5, "60", True, None])
def test_an_unusable_option_leaves_the_default(unusable: object) -> None:
    assert not stale(NOW - timedelta(seconds=300), max_age_seconds=unusable)
    assert stale(NOW - timedelta(seconds=301), max_age_seconds=unusable)
    assert stale(NOW + timedelta(seconds=301), max_ahead_seconds=unusable)


def test_a_refusal_tells_which_of_the_two_limits_it_was() -> None:
    source = Source(name="s", provider="p")
    for signed_at, option in (
        (NOW - timedelta(hours=1), "max_age_seconds"),
        (NOW + timedelta(hours=1), "max_ahead_seconds"),
    ):
        refused = refuse_stale(signed_at, freshness_of(source, default_max_age_seconds=300), now=NOW)
        assert refused is not None
        assert f"{option} = 300" in refused.detail


def test_an_end_that_the_vendor_sets_holds_with_what_clocks_may_differ_by() -> None:
    source = Source(name="s", provider="p", options={"max_ahead_seconds": 60})
    freshness = freshness_of(source, default_max_age_seconds=300)
    assert refuse_expired(NOW - timedelta(seconds=60), freshness, now=NOW) is None
    refused = refuse_expired(NOW - timedelta(seconds=61), freshness, now=NOW)
    assert refused is not None
    assert refused.reason == "stale"


def test_a_request_signed_as_far_ahead_as_allowed_can_be_used_for_both_limits_together() -> None:
    source = Source(name="s", provider="p", options={"max_ahead_seconds": 60})
    assert freshness_of(source, default_max_age_seconds=300).seconds_of_use == 360

"""A signed time is good for as long as the source says, and hardly ahead of our own clock."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.source import Source
from worker.providers.authentication.freshness import CLOCK_SLACK_SECONDS, refuse_stale

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def stale(signed_at: datetime | None, **options: object) -> bool:
    refused = refuse_stale(
        signed_at, Source(name="s", provider="p", options=options), now=NOW, default_max_age_seconds=300
    )
    assert refused is None or refused.reason == "stale"
    return refused is not None


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [(0, False), (300, False), (300.5, True), (-CLOCK_SLACK_SECONDS, False), (-CLOCK_SLACK_SECONDS - 0.5, True)],
)
def test_a_time_is_good_from_an_hour_ahead_to_the_greatest_age(age_seconds: float, *, expected: bool) -> None:
    assert stale(NOW - timedelta(seconds=age_seconds)) is expected


def test_the_sources_option_is_believed_over_the_providers_default() -> None:
    assert not stale(NOW - timedelta(hours=1), max_age_seconds=3_600)
    assert stale(NOW - timedelta(minutes=2), max_age_seconds=60)


@pytest.mark.parametrize("unusable", [0, -5, "60", True, None])
def test_an_unusable_option_leaves_the_default(unusable: object) -> None:
    assert not stale(NOW - timedelta(seconds=300), max_age_seconds=unusable)
    assert stale(NOW - timedelta(seconds=301), max_age_seconds=unusable)


def test_a_time_that_cannot_be_read_is_stale() -> None:
    assert stale(None)

"""The drill in a small size: real processes, real kills, every promise checked."""

import pytest

from tests.faults.drill import run_drill, told


@pytest.mark.drill
async def test_nothing_answered_200_is_lost_or_counted_twice_whatever_is_killed_when() -> None:
    report = await run_drill(webhooks=1500, seed=20260301, posting_seconds=20, quiet=True)

    assert report.verdict.broken == [], told(report)
    assert len(report.outcome.accepted) == report.webhooks
    assert sorted(report.stops) == ["Postgres", "RabbitMQ"]
    assert len(report.kills) == 4
    assert set(report.exit_statuses.values()) == {0}

"""The kills in a small size: real processes, real kills, every promise checked."""

import pytest

from tests.faults.drill import DrillOptions
from tests.faults.kills import lines_of, run_kills


@pytest.mark.drill
async def test_nothing_answered_200_is_lost_or_counted_twice_whatever_is_killed_when() -> None:
    report = await run_kills(DrillOptions(seed=20260301, quick=True))

    assert report.verdict.broken == [], lines_of(report)
    assert len(report.outcome.accepted) == report.webhooks
    assert sorted(report.stops) == ["Postgres", "RabbitMQ"]
    assert len(report.decided.answers) == report.decisions
    assert len(report.kills) == 6
    assert set(report.exit_statuses.values()) == {0}

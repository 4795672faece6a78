"""The long outage in a small size: real processes, real losses of channels, every promise checked."""

import pytest

from tests.faults.drill import DrillOptions
from tests.faults.outage import lines_of, run_outage


@pytest.mark.drill
@pytest.mark.alone
async def test_postgres_away_for_longer_than_any_limit_leaves_nothing_for_a_person_to_do() -> None:
    report = await run_outage(DrillOptions(seed=20260301, quick=True))

    assert report.verdict.broken == [], lines_of(report)
    assert min(report.losses.values()) > 20  # the limit of a quorum queue that has none of its own
    assert len(report.outcome.accepted) > 0
    assert set(report.exit_statuses.values()) == {0}

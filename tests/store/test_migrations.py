"""What stands in the way of a migration is told by whether waiting mends it."""

import pytest

from worker.errors import ImpossibleSetting, StoreUnavailable
from worker.store.migrations import require_current_schema


async def test_a_database_that_does_not_exist_needs_a_person_and_no_waiting(postgres_dsn: str) -> None:
    with pytest.raises(ImpossibleSetting, match=r"database name in postgres.url"):
        await require_current_schema(postgres_dsn.rsplit("/", 1)[0] + "/nobody_made_this")


async def test_a_closed_port_means_later_and_names_the_remedy() -> None:
    with pytest.raises(StoreUnavailable, match=r"see whether Postgres runs and postgres.url leads to it"):
        await require_current_schema("postgresql://nobody@127.0.0.1:1/nothing")

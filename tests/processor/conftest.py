"""A Postgres that tests of the processor may take away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from worker.local_services.postgres import EmbeddedPostgres
from worker.store.migrations import migrate


@pytest.fixture
async def stoppable_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """With every migration applied, for this test alone."""
    async with await EmbeddedPostgres.start(tmp_path / "postgres", settings={"fsync": "off"}) as postgres:
        await migrate(postgres.dsn)
        yield postgres

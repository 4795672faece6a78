"""A pool as the worker opens it, with partitions for the year that the tests live in."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.feedback_events import START
from worker.store.contact_rows import prepare_staging
from worker.store.partitions import make_partitions, months_later
from worker.store.pool import Pool, open_pool


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_dsn, connections=4, command_timeout_seconds=30, prepare=prepare_staging)
    async with pool.acquire() as connection:
        month = (START - timedelta(days=1)).replace(day=1, hour=0)
        await make_partitions(connection, [months_later(month, count) for count in range(15)])
    yield pool
    await pool.close()

"""A pool on a fresh database, and rows to read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from worker.store.pool import Pool, open_pool

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[Pool]:
    """Connections to a database with every migration applied."""
    opened = await open_pool(database_dsn, connections=4, command_timeout_seconds=10)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def contact_id(pool: Pool) -> int:
    """A contact that is blocklisted since noon."""
    inserted: int = await pool.fetchval(
        """
        INSERT INTO contacts (account, channel, address, status, blocks, status_since, cause, rule, lift_by,
            first_seen_at)
        VALUES ('default', 'email', 'gone@example.org', 'blocklisted', 'all', $1, 'mailbox_does_not_exist',
            'hard', '{admin}', $1)
        RETURNING id
        """,
        NOON,
    )
    return inserted

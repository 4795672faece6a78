"""The database of one command."""

import contextlib
from collections.abc import AsyncIterator

from worker.settings.tree import Settings
from worker.store.migrations import require_current_schema
from worker.store.pool import Pool, WriterPool, open_pool
from worker.store.writer_pool import open_writer_pool


@contextlib.asynccontextmanager
async def opened_database(settings: Settings) -> AsyncIterator[Pool]:
    """A small pool on a database of this program's version. Raises StoreUnavailable, SchemaOutOfDate."""
    url = settings.postgres.url.reveal()
    await require_current_schema(url)
    pool = await open_pool(
        url,
        connections=2,
        command_timeout_seconds=settings.postgres.command_timeout_seconds,
        application_name="bouncekeeper command",
    )
    try:
        yield pool
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def opened_writer_database(settings: Settings) -> AsyncIterator[WriterPool]:
    """The same, for a command that writes contacts."""
    url = settings.postgres.url.reveal()
    await require_current_schema(url)
    pool = await open_writer_pool(
        url,
        connections=2,
        command_timeout_seconds=settings.postgres.command_timeout_seconds,
        application_name="bouncekeeper command",
    )
    try:
        yield pool
    finally:
        await pool.close()

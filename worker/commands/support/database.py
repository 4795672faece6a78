"""The database of one command."""

import contextlib
from collections.abc import AsyncIterator

from worker.settings.tree import Settings
from worker.store.migrations import require_current_schema
from worker.store.pool import Pool, WriterPool, open_pool
from worker.store.writer_pool import open_writer_pool

_CONNECTIONS = 2
_NAME = "bouncekeeper command"


@contextlib.asynccontextmanager
async def opened_database(settings: Settings, *, command_timeout_seconds: float | None = None) -> AsyncIterator[Pool]:
    """A small pool on a database of this program's version. Raises StoreUnavailable, SchemaOutOfDate.

    command_timeout_seconds stands in place of the setting: for a command whose statements may take long.
    """
    url, seconds = settings.postgres.url.reveal(), command_timeout_seconds or settings.postgres.command_timeout_seconds
    await require_current_schema(url)
    pool = await open_pool(url, connections=_CONNECTIONS, command_timeout_seconds=seconds, application_name=_NAME)
    async with pool:
        yield pool


@contextlib.asynccontextmanager
async def opened_writer_database(settings: Settings) -> AsyncIterator[WriterPool]:
    """The same, for a command that writes contacts."""
    url, seconds = settings.postgres.url.reveal(), settings.postgres.command_timeout_seconds
    await require_current_schema(url)
    pool = await open_writer_pool(
        url, connections=_CONNECTIONS, command_timeout_seconds=seconds, application_name=_NAME
    )
    async with pool:
        yield pool

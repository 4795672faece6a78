"""Sessions that can write contacts: each has the staging tables of its own through which rows go.

A pool of them has a type of its own, and what writes contacts takes nothing else: that another pool has no such
tables is found by mypy, and not by the first batch.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from worker.store.contact_rows import STAGING
from worker.store.pool import Connection, WriterConnection, WriterPool, open_pool


async def open_writer_pool(
    dsn: str,
    *,
    connections: int,
    command_timeout_seconds: float,
    idle_connections: int = 1,
    application_name: str = "bouncekeeper",
    server_settings: Mapping[str, str] | None = None,
) -> WriterPool:
    """As open_pool, with sessions that can write contacts. Raises StoreUnavailable and ImpossibleSetting."""
    return WriterPool(
        await open_pool(
            dsn,
            connections=connections,
            command_timeout_seconds=command_timeout_seconds,
            idle_connections=idle_connections,
            application_name=application_name,
            server_settings=server_settings,
            prepare=_make_staging_tables,
        )
    )


@asynccontextmanager
async def writing(pool: WriterPool) -> AsyncIterator[WriterConnection]:
    """A transaction in which contacts can be written. It is committed at the end, or rolled back by an error."""
    async with pool.acquire() as connection, connection.transaction():
        yield WriterConnection(connection)


async def _make_staging_tables(connection: Connection) -> None:
    await connection.execute(STAGING)

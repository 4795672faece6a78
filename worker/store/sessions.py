"""Sessions of the pool for several statements; in a `transaction` they take effect together or not at all.

Only this room translates errors (tests/test_house.py): every function that takes an Executor does, and these blocks and
`writing` do it for the functions that take a Connection.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from worker.store.pool import Connection, Pool, Session, store_errors


@asynccontextmanager
async def session(pool: Pool, doing: str) -> AsyncIterator[Session]:
    """A connection for the length of the block. `doing` completes the message of an error, as in store_errors.

    Raises StoreUnavailable, SchemaOutOfDate.
    """
    with store_errors(doing):
        async with pool.acquire() as connection:
            yield connection


@asynccontextmanager
async def transaction(pool: Pool, doing: str) -> AsyncIterator[Session]:
    """A session in a transaction, which is committed at the end, or rolled back by an error."""
    async with session(pool, doing) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def snapshot(pool: Pool, doing: str) -> AsyncIterator[Session]:
    """A transaction that only reads: all its statements see the database as of one moment."""
    async with (
        session(pool, doing) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def transaction_time(connection: Connection) -> datetime:
    """When the transaction began, by the clock of Postgres."""
    began_at: datetime = await connection.fetchval("SELECT now()")
    return began_at

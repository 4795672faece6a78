"""Sessions that can write contacts: each has its own staging tables, through which rows are written.

A pool of them has its own type, and functions that write contacts accept no other pool: so mypy finds a pool without
staging tables, and not the first batch.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from worker.errors import AlreadyStored, MonthClosed, WriteRefused
from worker.store.contact_rows import STAGING
from worker.store.plan_renewal import PlanRenewal
from worker.store.pool import Connection, WriterConnection, WriterPool, open_pool, store_errors
from worker.store.server_history import ServerHistory
from worker.store.sessions import session

Writer = WriterPool | WriterConnection

# A batch's statements are written for one plan: a short list, then one index look-up for each of its entries. On
# an empty table the planner would choose to scan it, keep that plan for the session, and scan it still when the
# table has grown to millions. What these settings cannot prevent, worker.store.plan_renewal ends.
ONE_PLAN = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # Starting other processes takes longer than these statements, and the processor needs its cores itself.
    "max_parallel_workers_per_gather": "0",
}
# Errors that a single event can cause and that waiting does not help: values that a column refuses, broken invariants.
_REFUSALS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)


async def open_writer_pool(
    dsn: str,
    *,
    connections: int,
    command_timeout_seconds: float,
    idle_connections: int = 1,
    application_name: str = "bouncekeeper",
    server_settings: Mapping[str, str] | None = None,
    history: ServerHistory | None = None,
) -> WriterPool:
    """Like open_pool, with sessions that can write contacts. All are of one history of the database, if it is named.

    Raises DatabaseReplaced whenever a session would be of another, StoreUnavailable, ImpossibleSetting, and
    SchemaOutOfDate if the database is not migrated.
    """

    async def prepare(connection: Connection) -> None:
        if history is not None:
            await history.check(connection)
        await _make_staging_tables(connection)

    return WriterPool(
        await open_pool(
            dsn,
            connections=connections,
            command_timeout_seconds=command_timeout_seconds,
            idle_connections=idle_connections,
            application_name=application_name,
            server_settings=server_settings,
            prepare=prepare,
            lend=PlanRenewal(),
        )
    )


@asynccontextmanager
async def writer_session(lender: Writer, doing: str) -> AsyncIterator[WriterConnection]:
    """A connection for several transactions in which contacts can be written; the lender itself if it is one.

    Raises StoreUnavailable, SchemaOutOfDate, with `doing` in the message.
    """
    if isinstance(lender, asyncpg.Pool):
        async with session(WriterPool(lender), doing) as connection:
            yield WriterConnection(connection)
    else:
        with store_errors(doing):
            yield lender


@asynccontextmanager
async def writing(lender: Writer, doing: str = "writing a batch") -> AsyncIterator[WriterConnection]:
    """A transaction in which contacts can be written. It is committed at the end, or rolled back by an error.

    Raises StoreUnavailable, SchemaOutOfDate, with `doing` in the message.
    """
    async with writer_session(lender, doing) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def rehearsing(lender: Writer, doing: str) -> AsyncIterator[WriterConnection]:
    """Like `writing`, but the transaction is rolled back at the end."""
    async with writer_session(lender, doing) as connection:
        rehearsal = connection.transaction()
        await rehearsal.start()
        try:
            yield connection
        finally:
            await rehearsal.rollback()


@contextmanager
def refused_writes() -> Iterator[None]:
    """Raises errors about the content as WriteRefused. Used around `writing`, for batches only.

    Elsewhere a refusal is a mistake of ours, and must show its traceback.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise AlreadyStored(type(error).__name__) from error
    except asyncpg.CheckViolationError as error:
        raise MonthClosed(type(error).__name__) from error
    except _REFUSALS as error:
        raise WriteRefused(type(error).__name__) from error


async def _make_staging_tables(connection: Connection) -> None:
    await connection.execute(STAGING)

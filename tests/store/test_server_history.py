"""Whoever remembers ids of words writes to one history of the database alone, and never to a standby."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.process_roles import as_process
from tests.standby import Standby, answers, ask
from worker.errors import DatabaseReplaced, StoreUnavailable
from worker.local_services.postgres import EmbeddedPostgres
from worker.store.pool import Connection
from worker.store.readiness import missing_in_database
from worker.store.server_history import ServerHistory
from worker.store.writer_pool import open_writer_pool


@asynccontextmanager
async def processor_session(dsn: str) -> AsyncIterator[Connection]:
    """A session with the rights of the processor."""
    connection = await asyncpg.connect(as_process(dsn, "processor"))
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.slow
async def test_no_session_of_a_standby_is_written_through_not_even_after_its_promotion(
    stoppable_postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with Standby(tmp_path / "standby", stoppable_postgres) as standby:
        await answers(standby.dsn, "SELECT pg_is_in_recovery()")
        history = ServerHistory()
        async with processor_session(stoppable_postgres.dsn) as session:
            await history.check(session)
        async with processor_session(standby.dsn) as session:
            with pytest.raises(StoreUnavailable, match="is a standby"):
                await history.check(session)
        with pytest.raises(StoreUnavailable, match="is a standby"):
            await open_writer_pool(
                as_process(standby.dsn, "processor"), connections=1, command_timeout_seconds=5, history=history
            )
        await standby.promote()
        async with processor_session(standby.dsn) as session:
            with pytest.raises(DatabaseReplaced, match="timeline 00000002, after 00000001"):
                await history.check(session)


async def test_another_cluster_with_the_same_timeline_is_another_history(
    database_dsn: str, stoppable_postgres: EmbeddedPostgres
) -> None:
    history = ServerHistory()
    for _ in range(2):
        async with processor_session(database_dsn) as session:
            await history.check(session)
    async with processor_session(stoppable_postgres.dsn) as session:
        with pytest.raises(DatabaseReplaced, match=r"goes on under cluster [0-9]+, after [0-9]+"):
            await history.check(session)


async def test_a_server_that_does_not_tell_its_timeline_can_be_worked_with(database_dsn: str) -> None:
    for function in ("pg_walfile_name(pg_lsn)", "pg_control_system()"):
        await ask(database_dsn, f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    pool = await open_writer_pool(
        as_process(database_dsn, "processor"), connections=1, command_timeout_seconds=5, history=ServerHistory()
    )
    try:
        for question in ("SELECT pg_walfile_name('0/1')", "SELECT pg_control_system()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.fetchval(question)
        assert await pool.fetchval("SELECT true")
    finally:
        await pool.close()


@pytest.mark.slow
async def test_a_probe_tells_that_the_database_was_replaced(
    database_dsn: str, stoppable_postgres: EmbeddedPostgres
) -> None:
    history = ServerHistory()
    async with processor_session(stoppable_postgres.dsn) as session:
        await history.check(session)
    # The pool opens its first session for the probe.
    pool = await open_writer_pool(
        as_process(database_dsn, "processor"),
        connections=1,
        idle_connections=0,
        command_timeout_seconds=5,
        history=history,
    )
    try:
        [reason] = await missing_in_database(pool)
        assert "the database goes on under cluster" in reason
        with pytest.raises(DatabaseReplaced):  # and whoever works with it still hears so
            await pool.fetchval("SELECT true")
    finally:
        await pool.close()

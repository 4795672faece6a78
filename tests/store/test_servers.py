"""One URL with several hosts: sessions are opened at the one that takes writes, and leave it when it takes none."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from tests.standby import ask, several_hosts
from tests.waiting import until
from worker.errors import ImpossibleSetting, QueueUnavailable, StoreUnavailable
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.store.migrations import migrate
from worker.store.pool import open_pool, store_errors
from worker.store.servers import Servers, connect
from worker.store.turns import Turns


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a machine that has frozen: it takes connections and never says a word."""
    ended = asyncio.Event()

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


async def test_a_host_that_refuses_or_says_nothing_does_not_keep_a_session_from_the_other(postgres_dsn: str) -> None:
    async with silent_server() as silent:
        for port in (free_port(), silent):
            session = await connect(several_hosts(postgres_dsn, before=port), timeout=2)
            assert await session.fetchval("SELECT true")
            await session.close()


@pytest.mark.slow
async def test_the_host_that_was_found_last_is_tried_first(postgres_dsn: str) -> None:
    async with silent_server() as silent:
        servers = Servers()
        for _ in range(2):
            began = time.monotonic()
            session = await servers.connect(several_hosts(postgres_dsn, before=silent), timeout=8)
            await session.close()
    assert time.monotonic() - began < 3


async def test_if_no_host_takes_writes_the_error_says_what_each_said(postgres_dsn: str) -> None:
    port, name = free_port(), postgres_dsn.rsplit("/", 1)[1]
    await ask(postgres_dsn, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')

    with pytest.raises(StoreUnavailable, match=rf"127\.0\.0\.1:{port}/.* failed .*takes no writes"):
        await open_pool(several_hosts(postgres_dsn, before=port), connections=1, command_timeout_seconds=5)


async def test_a_wrong_password_is_told_as_such_though_there_are_other_hosts(postgres_dsn: str) -> None:
    wrong = postgres_dsn.replace("//postgres:", "//postgres:wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(several_hosts(wrong, before=free_port()), timeout=5)


@pytest.mark.parametrize("setting", ["shared_buffers=1GB", "no_such_setting=1", "work_mem=lots", "role=nobody"])
async def test_a_setting_of_the_url_that_the_server_does_not_take_is_told_and_not_waited_for(
    postgres_dsn: str, setting: str
) -> None:
    for dsn in (f"{postgres_dsn}?{setting}", f"{several_hosts(postgres_dsn, before=free_port())}&{setting}"):
        with pytest.raises(ImpossibleSetting, match=rf"{setting.partition('=')[0]}.*query of postgres\.url"):
            await open_pool(dsn, connections=1, command_timeout_seconds=5)


async def test_migrations_are_made_at_the_host_that_takes_writes(postgres_dsn: str) -> None:
    assert await migrate(several_hosts(postgres_dsn, before=free_port()))
    assert await migrate(postgres_dsn) == []


async def test_the_queue_in_postgres_waits_for_any_of_several_hosts(database_dsn: str) -> None:
    writer = await PostgresWriter.open(several_hosts(database_dsn, before=free_port()))
    nowhere = await PostgresWriter.open(several_hosts("postgresql://me@127.0.0.1:1/none", before=2))
    try:
        await writer.put(b"a parcel")
        with pytest.raises(QueueUnavailable, match=r"127\.0\.0\.1:2,127\.0\.0\.1:1/none is away"):
            await nowhere.put(b"a parcel")
    finally:
        await writer.close()
        await nowhere.close()


async def make_read_only(server: EmbeddedPostgres, value: str) -> None:
    """What whoever fences an old primary does; sessions stay open."""
    await ask(server.dsn_of("postgres"), f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    await ask(server.dsn_of("postgres"), "SELECT pg_reload_conf()")


async def test_sessions_leave_a_server_that_takes_no_writes_any_more(stoppable_postgres: EmbeddedPostgres) -> None:
    dsn = stoppable_postgres.dsn
    pool = await open_pool(dsn, connections=2, command_timeout_seconds=5)
    writer, reader, turns = await PostgresWriter.open(dsn), await PostgresReader.open(dsn, lease_seconds=60), Turns(dsn)
    try:
        await writer.put(b"before")
        assert await turns.take("relay")
        old = await pool.fetchval("SELECT pg_backend_pid()")
        await make_read_only(stoppable_postgres, "on")

        async def is_refused() -> bool:
            with store_errors("writing"):
                try:
                    await pool.execute("CREATE TABLE refused ()")
                except asyncpg.ReadOnlySQLTransactionError:
                    return True
            return False

        await until(is_refused, "the server to be read-only")
        with pytest.raises(StoreUnavailable, match="read-only"), store_errors("writing"):
            await pool.execute("CREATE TABLE refused ()")
        with pytest.raises(QueueUnavailable, match="read-only"):
            await reader.take(max_parcels=1, max_wait_seconds=0)
        with pytest.raises(QueueUnavailable, match="read-only"):
            await writer.put(b"refused")
        # A server that has the same place and takes writes: all go on with sessions of it.
        await make_read_only(stoppable_postgres, "off")

        async def goes_on() -> bool:
            await writer.put(b"after")
            await pool.execute("CREATE TABLE IF NOT EXISTS accepted ()")
            return len(await reader.take(max_parcels=9, max_wait_seconds=0)) > 0

        await until(goes_on, "all to write", not_yet=(QueueUnavailable, asyncpg.ReadOnlySQLTransactionError))
        assert await pool.fetchval("SELECT pg_backend_pid()") != old
    finally:
        await turns.close()
        await reader.close()
        await writer.close()
        await pool.close()

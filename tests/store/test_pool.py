"""What every session has in common, and which errors mean "later"."""

import asyncpg
import pytest

from worker.errors import ImpossibleSetting, SchemaOutOfDate, StoreUnavailable
from worker.store.pool import open_pool, store_errors


async def test_sessions_speak_utc_and_read_and_write_jsonb_as_plain_values(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=2, command_timeout_seconds=5)
    try:
        assert await pool.fetchval("SHOW timezone") == "UTC"
        assert await pool.fetchval("SHOW application_name") == "bouncekeeper"
        assert await pool.fetchval("SHOW statement_timeout") == "5s"
        value = {"a": [1, None, {"b": "ü"}]}
        assert await pool.fetchval("SELECT $1::jsonb", value) == value
    finally:
        await pool.close()


async def test_nul_characters_never_make_a_row_unstorable(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=1, command_timeout_seconds=5)
    try:
        given = {"k\x00ey": ["a\x00b", "spelled \\u0000"]}
        assert await pool.fetchval("SELECT $1::jsonb", given) == {"key": ["ab", "spelled \\u0000"]}
    finally:
        await pool.close()


async def test_a_caller_may_add_server_settings(postgres_dsn: str) -> None:
    pool = await open_pool(
        postgres_dsn,
        connections=1,
        command_timeout_seconds=5,
        server_settings={"synchronous_commit": "off", "application_name": "batch"},
    )
    try:
        assert await pool.fetchval("SHOW synchronous_commit") == "off"
        assert await pool.fetchval("SHOW application_name") == "batch"
    finally:
        await pool.close()


async def test_a_closed_port_means_later() -> None:
    with pytest.raises(StoreUnavailable, match="see whether Postgres runs") as told:
        await open_pool("postgresql://nobody@127.0.0.1:1/nothing", connections=1, command_timeout_seconds=1)
    assert "again" not in str(told.value)  # a command that runs once does not try again


async def test_a_database_that_does_not_exist_is_an_impossible_setting(postgres_dsn: str) -> None:
    with pytest.raises(ImpossibleSetting, match="database name"):
        await open_pool(postgres_dsn.replace("/test_", "/absent_"), connections=1, command_timeout_seconds=1)


async def test_a_statement_that_takes_too_long_means_later(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=1, command_timeout_seconds=0.1)
    try:
        with pytest.raises(StoreUnavailable, match="reading"), store_errors("reading"):
            await pool.execute("SELECT pg_sleep(5)")
    finally:
        await pool.close()


async def test_a_mistake_of_ours_is_not_hidden_as_unavailability(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=1, command_timeout_seconds=5)
    try:
        with pytest.raises(asyncpg.DataError), store_errors("reading"):
            await pool.fetchval("SELECT $1::int", "no number")
        with pytest.raises(asyncpg.UndefinedColumnError), store_errors("reading"):
            await pool.fetchval("SELECT no_such_column")
    finally:
        await pool.close()


async def test_a_table_or_database_that_is_gone_is_told_from_a_server_that_is_away(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=1, idle_connections=0, command_timeout_seconds=5)
    try:
        with pytest.raises(SchemaOutOfDate, match="run `bouncekeeper migrate`, or wait"), store_errors("reading"):
            await pool.fetchval("SELECT * FROM no_such_table")
        await pool.expire_connections()
        server = await asyncpg.connect(postgres_dsn.rsplit("/", 1)[0] + "/postgres")
        await server.execute(f'DROP DATABASE "{postgres_dsn.rsplit("/", 1)[1]}" WITH (FORCE)')
        await server.close()
        with pytest.raises(SchemaOutOfDate, match="does not exist"), store_errors("reading"):
            await pool.fetchval("SELECT 1")
    finally:
        await pool.close()


async def test_a_session_that_is_given_back_takes_no_statement_for_it(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=1, command_timeout_seconds=5)
    watcher = await asyncpg.connect(postgres_dsn)
    try:
        async with pool.acquire() as connection:
            process = connection.get_server_pid()
            await connection.fetchval("SELECT 'the last word'")
        latest = await watcher.fetchval("SELECT query FROM pg_stat_activity WHERE pid = $1", process)
        assert latest == "SELECT 'the last word'"
    finally:
        await watcher.close()
        await pool.close()


async def test_a_transaction_that_is_left_open_ends_when_its_session_is_given_back(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=1, command_timeout_seconds=5)
    try:
        async with pool.acquire() as connection:
            await connection.transaction().start()
            await connection.execute("SET LOCAL application_name = 'left behind'")
        assert await pool.fetchval("SHOW application_name") == "bouncekeeper"
    finally:
        await pool.close()

"""The API as a process: it starts whatever is away, answers, and stops when it is told to."""

import asyncio

import asyncpg
import pytest
from aiohttp import ClientConnectionError, ClientSession

from tests.api.conftest import TOKEN
from tests.process_roles import as_process
from tests.waiting import until
from worker.api.service import run_api
from worker.errors import ImpossibleSetting
from worker.local_services.process import free_port
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings


def settings_for(dsn: str, port: int, **overrides: str) -> Settings:
    values = {
        "postgres.url": as_process(dsn, "api"),
        "postgres.pool_connections": "2",
        "postgres.command_timeout_seconds": "5",
        "queue.adapter": "postgres",
        "api.port": str(port),
        "api.tokens": TOKEN,
        **overrides,
    }
    return load_settings(
        config_file=None, environment={}, overrides={name: value for name, value in values.items() if value}
    )


async def http_status(port: int, path: str) -> int:
    async with ClientSession(f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}) as session:

        async def status() -> int:
            async with session.get(path) as response:
                return response.status

        return await until(status, f"an answer to {path}", not_yet=ClientConnectionError)


async def until_somebody_has_read_the_feed(dsn: str) -> None:
    async def has_read() -> bool:
        question = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE $1"
        return bool(await connection.fetchval(question, "%FROM status_changes%"))

    connection = await asyncpg.connect(dsn)
    try:
        await until(has_read, "the feed to be read")
    finally:
        await connection.close()


async def test_it_serves_until_it_is_told_to_stop(database_dsn: str) -> None:
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(run_api(settings_for(database_dsn, port), stop))
    assert await http_status(port, "/readyz") == 200
    assert await http_status(port, "/v1/status-changes") == 200
    stop.set()
    async with asyncio.timeout(10):
        await serving


async def test_it_starts_while_postgres_is_away_and_says_later() -> None:
    port, stop = free_port(), asyncio.Event()
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    serving = asyncio.create_task(run_api(settings_for(away, port), stop))
    assert await http_status(port, "/healthz") == 200
    assert await http_status(port, "/v1/status-changes") == 503
    stop.set()
    async with asyncio.timeout(10):
        await serving


async def test_a_stop_answers_those_who_wait_for_news(database_dsn: str) -> None:
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(run_api(settings_for(database_dsn, port), stop))
    await http_status(port, "/healthz")
    waiting = asyncio.create_task(http_status(port, "/v1/status-changes?wait_seconds=30"))
    await until_somebody_has_read_the_feed(database_dsn)
    stop.set()
    async with asyncio.timeout(8):
        assert await waiting == 200
        await serving


async def test_a_port_that_is_taken_ends_the_process_with_an_error(database_dsn: str) -> None:
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(run_api(settings_for(database_dsn, port), stop))
    await http_status(port, "/healthz")
    with pytest.raises(ImpossibleSetting, match=r"address already in use.*choose another port with api\.port"):
        await run_api(settings_for(database_dsn, port), asyncio.Event())
    stop.set()
    await serving

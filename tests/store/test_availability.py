"""The metric tells whether Postgres is there, in processes that answer while it is not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientConnectionError, ClientSession

from tests.api.test_service import settings_for as api_settings_for
from tests.process_roles import as_process
from tests.processor.test_service import processor, settings_for
from tests.waiting import until
from worker.api.service import run_api
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.store import availability
from worker.store.availability import store_answers
from worker.store.pool import Pool, open_pool


@pytest.mark.slow
async def test_a_processor_and_the_api_show_that_postgres_is_away_and_that_it_is_back(
    stoppable_postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "_EVERY_SECONDS", 0.1)
    ports, stop = {"processor": free_port(), "api": free_port()}, asyncio.Event()
    serving = asyncio.create_task(run_api(api_settings_for(stoppable_postgres.dsn, ports["api"]), stop))
    async with processor(settings_for(stoppable_postgres.dsn, None, port=ports["processor"])):

        def shown(role: str, value: float) -> Callable[[], Awaitable[bool]]:
            async def is_shown() -> bool:
                async with ClientSession() as http, http.get(f"http://127.0.0.1:{ports[role]}/metrics") as answer:
                    assert answer.status == 200
                    text = await answer.text()
                return f'bouncekeeper_store_available{{role="{role}"}} {value}\n' in text

            return is_shown

        async def every(value: float) -> None:
            for role in ports:
                await until(shown(role, value), f"{value} of the {role}", not_yet=ClientConnectionError)

        await every(1.0)
        await stoppable_postgres.stop()
        await every(0.0)
        await stoppable_postgres.restart()
        await every(1.0)
    stop.set()
    await serving


async def test_a_postgres_that_hangs_is_not_there(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection of the process waits for an answer, as for a lock that somebody holds or a frozen machine."""
    monkeypatch.setattr(availability, "_ANSWER_SECONDS", 0.1)
    lent = [await pool.acquire() for _ in range(pool.get_max_size())]
    assert not await store_answers(pool, writes=True)
    for connection in lent:
        await pool.release(connection)
    monkeypatch.setattr(availability, "_ANSWER_SECONDS", 4.0)
    assert await store_answers(pool, writes=True)


async def test_rights_or_a_password_that_changed_count_as_away(database_dsn: str) -> None:
    pool = await open_pool(
        as_process(database_dsn, "api").replace("//", "//nobody-", 1),
        connections=1,
        command_timeout_seconds=5,
        idle_connections=0,
    )
    assert not await store_answers(pool, writes=False)
    await pool.close()

"""A Postgres that takes connections and answers nothing, as on a machine whose disk hangs: /readyz says so in time."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import ClientSession, ClientTimeout

from tests.api.test_service import http_status, settings_for
from tests.benchmarks.machine import child_processes
from tests.process_roles import make_roles
from tests.waiting import until
from worker.api.service import run_api
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.store.migrations import migrate

_PATIENCE_SECONDS = 5.0  # of who asks a probe, such as Kubernetes or a health check of compose


@pytest.fixture
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    with TemporaryDirectory(prefix="bouncekeeper-own-postgres-", ignore_cleanup_errors=True) as folder:
        async with await EmbeddedPostgres.start(Path(folder)) as started:
            await make_roles(started.dsn)
            await migrate(started.dsn)
            yield started


@contextmanager
def hanging(postgres: EmbeddedPostgres) -> Iterator[None]:
    processes = [postgres.pid, *child_processes(postgres.pid)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(processes):
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
@pytest.mark.parametrize("tokens", ["configured", "in the database"])
async def test_readyz_answers_in_time_while_postgres_hangs_and_is_ready_again_afterwards(
    postgres: EmbeddedPostgres, tokens: str
) -> None:
    settings = settings_for(postgres.dsn, port := free_port())
    if tokens == "in the database":
        settings = settings_for(postgres.dsn, port, **{"api.tokens": ""})
    stop = asyncio.Event()
    api = asyncio.create_task(run_api(settings, stop))
    expected = 200 if tokens == "configured" else 503
    assert await http_status(port, "/readyz") == expected
    timeout = ClientTimeout(total=_PATIENCE_SECONDS)
    async with ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as client:
        with hanging(postgres):
            for _ in range(4):  # more than the pool has connections
                started = time.monotonic()
                async with client.get("/readyz") as answer:
                    state = await answer.json()
                assert answer.status == 503
                assert "did not answer" in " ".join(state["missing"])
                assert time.monotonic() - started < _PATIENCE_SECONDS
            async with client.get("/healthz") as answer:
                assert answer.status == 200

        async def has_recovered() -> bool:
            async with client.get("/readyz") as answer:
                return answer.status == expected and "did not answer" not in await answer.text()

        await until(has_recovered, "the API to be as before", seconds=30)
    stop.set()
    async with asyncio.timeout(15):
        await api

"""Services that tests ask for: real ones, started when the first test needs them, gone at the end."""

import itertools
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

# The tests test this checkout, whatever is installed beside it.
sys.path.insert(0, str(Path(__file__).parent.parent))

from worker.local_services.postgres import EmbeddedPostgres  # noqa: E402 - the path must come first
from worker.logs import configure_logging  # noqa: E402 - the path must come first

_numbers = itertools.count(1)


configure_logging(level="debug", strict=True)  # for what services log before the first test


@pytest.fixture(autouse=True)
def _strict_logging() -> None:
    """An undeclared log event or field fails the test that logs it."""
    configure_logging(level="debug", strict=True)


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncIterator[EmbeddedPostgres]:
    """One Postgres for all tests. It never waits for the disk: tests kill processes, not the machine."""
    folder = Path(tempfile.mkdtemp(prefix="bouncekeeper-postgres-"))
    settings = {
        "fsync": "off",
        "full_page_writes": "off",
        "shared_buffers": "128MB",
        "max_connections": "200",
    }
    try:
        async with await EmbeddedPostgres.start(folder, settings=settings) as postgres:
            yield postgres
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def postgres_dsn(postgres_server: EmbeddedPostgres) -> AsyncIterator[str]:
    """An empty database for this test alone."""
    name = await _create_database(postgres_server, "template1")
    yield postgres_server.dsn_of(name)
    await _drop_database(postgres_server, name)


@pytest.fixture(scope="session")
async def _migrated_template(postgres_server: EmbeddedPostgres) -> str:
    from worker.store.migrations import migrate  # noqa: PLC0415 - only tests with a schema need it

    name = await _create_database(postgres_server, "template1")
    await migrate(postgres_server.dsn_of(name))
    return name


@pytest.fixture
async def database_dsn(postgres_server: EmbeddedPostgres, _migrated_template: str) -> AsyncIterator[str]:
    """A database with every migration applied, for this test alone."""
    name = await _create_database(postgres_server, _migrated_template)
    yield postgres_server.dsn_of(name)
    await _drop_database(postgres_server, name)


async def _create_database(postgres: EmbeddedPostgres, template: str) -> str:
    name = f"test_{next(_numbers)}"
    await _execute(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return name


async def _drop_database(postgres: EmbeddedPostgres, name: str) -> None:
    await _execute(postgres, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _execute(postgres: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.dsn_of("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

"""Databases of a Postgres for tests, made and dropped in one session: to log in for each would cost as much again."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Self, TypeVar
from urllib.parse import urlsplit

import asyncpg

from worker.local_services.postgres import EmbeddedPostgres
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool

_T = TypeVar("_T")


class Databases:
    """Makes databases of this server and drops them."""

    def __init__(self, postgres: EmbeddedPostgres, session: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._postgres = postgres
        self._session = session
        self._numbers = itertools.count(1)

    @classmethod
    async def open(cls, postgres: EmbeddedPostgres) -> Self:
        """Logs in, and sets the password anew, so that `scram_iterations` of the server's settings counts."""
        dsn = postgres.dsn_of("postgres")
        session = await asyncpg.connect(dsn)
        await session.execute(f"ALTER ROLE postgres PASSWORD '{urlsplit(dsn).password}'")
        return cls(postgres, session)

    async def create(self, template: str) -> str:
        """The name of a fresh copy of this database."""
        name = f"test_{next(self._numbers)}"
        # Copying files is half the work of the default, as long as nothing waits for the disk.
        await self._session.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        return name

    @asynccontextmanager
    async def filled(self, template: str, fill: Callable[[WriterPool], Awaitable[_T]]) -> AsyncIterator[tuple[str, _T]]:
        """Inside the block there is a copy that was filled, for many tests to be copied; with what filling it gave."""
        name = await self.create(template)
        pool = await open_writer_pool(self._postgres.dsn_of(name), connections=1, command_timeout_seconds=30)
        try:
            content = await fill(pool)
        finally:
            await pool.close()
        yield name, content
        await self.drop(name)

    async def drop(self, name: str) -> None:
        """Ends its sessions and removes it."""
        await self._session.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def close(self) -> None:
        """Logs out."""
        await self._session.close()

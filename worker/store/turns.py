"""Turns: which processor does work that only one may do at a time, such as sending to one endpoint.

A turn is an advisory lock of a session that does nothing else. It ends with the session: at once if the processor dies,
and after a while if it hangs, because Postgres ends a silent session.
"""

import asyncio
import zlib

import asyncpg

from worker.errors import StoreUnavailable
from worker.store.pool import store_errors
from worker.store.servers import Servers, takes_no_writes

_LOCK_CLASS = 0x626B7475  # first half of these advisory locks; the second is made of the turn's name
_CONNECT_SECONDS = 5.0
_COMMAND_SECONDS = 5.0
_SILENCE_SECONDS = 30.0  # after which Postgres takes a processor for hung
_SIGN_OF_LIFE_SECONDS = 5.0


class Turns:
    """The turns of this process."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._servers = Servers()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._mine: set[str] = set()
        self._one_at_a_time = asyncio.Lock()  # a session does one statement at a time

    async def take(self, name: str) -> bool:
        """True if the turn is ours, until `mine` says otherwise; False while another process has it.

        Raises StoreUnavailable.
        """
        if self.mine(name):
            return True
        with store_errors("asking whose turn it is"):
            async with self._one_at_a_time:
                connection = await self._connected()
                number = zlib.crc32(name.encode()) - 2**31
                is_ours: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCK_CLASS, number)
        if is_ours:
            self._mine.add(name)
        return is_ours

    def mine(self, name: str) -> bool:
        """True while the turn is ours. All turns are lost with the session."""
        if self._connection is None or self._connection.is_closed():
            self._mine.clear()
        return name in self._mine

    async def keep(self, stop: asyncio.Event) -> None:
        """Keeps the session alive until `stop`."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(_SIGN_OF_LIFE_SECONDS):
                    await stop.wait()
            except TimeoutError:
                await self._show_life()

    async def close(self) -> None:
        """Gives up all turns."""
        connection, self._connection = self._connection, None
        self._mine.clear()
        if connection is not None and not connection.is_closed():
            try:
                await connection.close(timeout=_COMMAND_SECONDS)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def _show_life(self) -> None:
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        try:
            with store_errors("keeping the turns"):
                async with self._one_at_a_time:
                    await connection.execute("SELECT 1")
        except StoreUnavailable:
            connection.terminate()
        else:
            if takes_no_writes(connection):  # another server does now, and there the turn may be another's
                connection.terminate()

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        self._mine.clear()
        self._connection = await self._servers.connect(
            self._dsn,
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
            server_settings={
                "application_name": "bouncekeeper turns",
                "idle_session_timeout": f"{_SILENCE_SECONDS:.0f}s",
                # The connection of a machine that is gone stays open: this detects it within half a minute.
                "tcp_keepalives_idle": "10",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        )
        return self._connection

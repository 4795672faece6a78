"""A port of this machine that is served as all of ours are, and strangers who connect to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from aiohttp import web

from tests.waiting import until
from worker.connections.connection import connection_of
from worker.connections.listening import listening
from worker.settings.tree import ConnectionSettings

HEAD = b"POST /echo HTTP/1.1\r\nHost: here\r\n"
WHOLE = HEAD + b"Content-Length: 4\r\n\r\nbody"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
_PATIENCE_SECONDS = 20.0


class RunningPort:
    """Answers `POST /echo` with the body, `POST /proved` likewise to a proven caller, `GET /slow` when told to."""

    def __init__(self) -> None:
        self.port = 0
        self.may_answer = asyncio.Event()
        self.being_answered = 0
        self.app = web.Application(handler_args={"auto_decompress": False})
        self.app.router.add_post("/echo", self._echo)
        self.app.router.add_post("/proved", self._echo_proven)
        self.app.router.add_get("/slow", self._slow)

    @classmethod
    @asynccontextmanager
    async def start(cls, settings: ConnectionSettings, *, trusted: tuple[str, ...] = ()) -> AsyncIterator[Self]:
        """The port, listening on 127.0.0.1."""
        port = cls()
        async with listening(
            port.app,
            host="127.0.0.1",
            port=0,
            role="receiver",
            remedy="",
            connections=settings,
            is_trusted=lambda address: address in trusted,
            shutdown_seconds=1,
        ) as url:
            port.port = int(url.rpartition(":")[2])
            yield port

    async def connect(self, *, address: str = "127.0.0.1") -> "Stranger":
        """One more connection, from this address."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0))
        return Stranger(reader, writer)

    async def until_answering(self, count: int) -> None:
        """Waits until so many requests are being answered."""
        await until(lambda: self.being_answered == count, f"{count} requests to be answered")

    async def _echo(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def _echo_proven(self, request: web.Request) -> web.Response:
        connection = connection_of(request)
        assert connection is not None
        connection.vouch_for()
        return await self._echo(request)

    async def _slow(self, _request: web.Request) -> web.Response:
        self.being_answered += 1
        try:
            await self.may_answer.wait()
        finally:
            self.being_answered -= 1
        return web.Response(text="at last")


class Stranger:
    """One connection, seen from the other side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Sends; a connection that was closed meanwhile is no trouble."""
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def status(self) -> int:
        """The status of the next answer, whose body is read away; 0 when the connection was closed instead."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
                await self._reader.readexactly(length)
            except (ConnectionError, asyncio.IncompleteReadError):
                return 0
        return int(head.split()[1])

    async def ask(self, wire: bytes) -> int:
        """Sends a request and gives the status of its answer."""
        status, _ = await asyncio.gather(self.status(), self.send(wire))
        return status

    async def is_closed(self) -> bool:
        """True once the other side has closed; False when it has not for a long while."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while await self._reader.read(65_536):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    @property
    def hears_nothing(self) -> bool:
        """True while the connection is open and nothing has come."""
        return not self._reader.at_eof() and not self._reader._buffer  # type: ignore[attr-defined]

    async def close(self) -> None:
        """Ends it."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

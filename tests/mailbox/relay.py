"""A relay between a client and an IMAP server that holds back one command, or speaks TLS to the client."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Relay:
    """What a client sends goes on, until it sends `hold_at`: that, and all after it, never arrives."""

    def __init__(self, port: int, hold_at: bytes | None) -> None:
        self.port = 0
        self.held = asyncio.Event()
        self._server_port = port
        self._hold_at = hold_at
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        for task in (
            asyncio.create_task(self._hand_on(reader, server_writer, self._hold_at)),
            asyncio.create_task(self._hand_on(server_reader, writer, None)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Cuts every connection."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hold_at: bytes | None) -> None:
        try:
            while data := await reader.read(65_536):
                if hold_at is not None and hold_at in data:
                    self.held.set()
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def relaying(
    port: int, *, hold_at: bytes | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Relay]:
    """A relay to this port inside the block."""
    relay = Relay(port, hold_at)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0, ssl=tls)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        await relay.end()

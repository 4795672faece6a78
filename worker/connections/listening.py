"""A web application on its port, from the first connection to the last answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import cast

from aiohttp import hdrs, web

from worker.connections.connection import Connection, connection_of
from worker.connections.crowd import Crowd
from worker.connections.malformed_http import server_logger
from worker.errors import BodyCutOff, ImpossibleSetting
from worker.settings.tree import ConnectionSettings

# For ports with probes only, which have few callers.
PROBE_CONNECTIONS = ConnectionSettings(max_open=64, max_per_address=64)
# The part of an unread body that aiohttp buffers; it parses a sixteenth of this number of chunks at once.
_BODY_BUFFER_BYTES = 8 * 1024
_MAX_HEADERS = 100
# How long the rest of a refused body is read and dropped, so that its sender can read the answer.
_LINGERING_SECONDS = 3.0


async def hide_versions(_request: web.Request, response: web.StreamResponse) -> None:
    """For an application's on_response_prepare: hides the names and versions of our libraries."""
    response.headers.pop(hdrs.SERVER, None)


@asynccontextmanager
async def listening(
    app: web.Application,
    *,
    host: str,
    port: int,
    role: str,
    remedy: str,
    connections: ConnectionSettings = PROBE_CONNECTIONS,
    is_trusted: Callable[[str], bool] = lambda _address: False,
    shutdown_seconds: float = 10.0,
    backlog: int = 1024,
    share_port: bool = False,
) -> AsyncIterator[str]:
    """Serves the application inside the block; yields its URL.

    `is_trusted` recognises the addresses of proxies: `connections.max_per_address` does not apply to them, because
    they have many callers. Leaving the block closes the port; requests under way get `shutdown_seconds` for their
    answers. Raises ImpossibleSetting with the remedy if it cannot listen.
    """
    crowd = Crowd(role, connections, is_trusted)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=server_logger(partial(crowd.count, "malformed_http")),
        shutdown_timeout=shutdown_seconds,
        keepalive_timeout=connections.idle_seconds,
        lingering_time=_LINGERING_SECONDS,
        max_headers=_MAX_HEADERS,
        read_bufsize=_BODY_BUFFER_BYTES,
        tcp_keepalive=False,  # a silent connection is closed before the system would probe it
    )
    await runner.setup()
    try:
        try:
            site = _Site(runner, crowd, host, port, backlog, share_port=share_port)
            await site.start()
        except OSError as error:
            raise ImpossibleSetting(f"the {role} cannot listen on {host}:{port} ({error}): {remedy}") from error
        bound_host, bound_port = runner.addresses[0][:2]
        yield f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()


class _Site(web.BaseSite):
    """A TCP port that limits connections before they reach aiohttp."""

    def __init__(
        self, runner: web.AppRunner, crowd: Crowd, host: str, port: int, backlog: int, *, share_port: bool
    ) -> None:
        super().__init__(runner, backlog=backlog)
        self._crowd = crowd
        self._host = host
        self._port = port
        self._share_port = share_port
        self._web_server = cast("web.Server", runner.server)
        self._web_server.request_handler = _followed(self._web_server.request_handler)

    @property
    def name(self) -> str:
        """Its URL."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listens. Raises OSError if it cannot."""
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._crowd, self._web_server),
            self._host,
            self._port,
            backlog=self._backlog,
            reuse_port=self._share_port or None,
        )
        self._crowd.open()

    async def stop(self) -> None:
        """Accepts no new connections, and ends those that have not sent anything."""
        await super().stop()
        self._crowd.close()


_Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _followed(handle: _Handle) -> _Handle:
    """Tells each connection about its requests, and closes it if the answer did not wait for the body."""

    async def follow(request: web.BaseRequest) -> web.StreamResponse:
        connection = connection_of(request)
        content = request.content
        if connection is None:
            # The connection has gone already. A complete request is still handled: its sender may expect that.
            return await handle(request) if content.is_eof() else web.Response(status=HTTPStatus.BAD_REQUEST)
        connection.begin(content)
        response: web.StreamResponse | None = None
        try:
            response = await handle(request)
        except BodyCutOff as cut:
            response = web.Response(status=cut.http_status, text=f"{cut}\n")
        except web.HTTPException as error:
            response = error
            raise
        except ConnectionError:
            if request.transport is not None:
                raise
            response = web.Response(status=HTTPStatus.BAD_REQUEST)  # the caller has gone
        finally:
            unread = not content.is_eof()
            if unread and response is not None:
                response.force_close()
            connection.finish(ignore_rest=unread)
        return response

    return follow

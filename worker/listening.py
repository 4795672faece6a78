"""A web application on its port, from the first connection to the last answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import hdrs, web

from worker.errors import ImpossibleSetting


async def hide_versions(_request: web.Request, response: web.StreamResponse) -> None:
    """For an application's on_response_prepare: nobody need know which versions of what answer here."""
    response.headers.pop(hdrs.SERVER, None)


@asynccontextmanager
async def listening(
    app: web.Application,
    *,
    host: str,
    port: int,
    role: str,
    remedy: str,
    shutdown_seconds: float = 10.0,
    backlog: int = 128,
    share_port: bool = False,
) -> AsyncIterator[str]:
    """Serves the application inside the block; gives its URL.

    Leaving the block closes the port and gives the requests under way `shutdown_seconds` to be answered. Raises
    ImpossibleSetting with the remedy when it cannot listen there.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_seconds)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, backlog=backlog, reuse_port=share_port or None).start()
        except OSError as error:
            raise ImpossibleSetting(f"the {role} cannot listen on {host}:{port} ({error}): {remedy}") from error
        bound_host, bound_port = runner.addresses[0][:2]
        yield f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()

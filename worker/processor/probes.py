"""The worker's own small HTTP server: is it alive, can it work, and what are its numbers?"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from worker.errors import ImpossibleSetting, StoreUnavailable
from worker.queue.port import QueueReader
from worker.settings_tree import ProcessorSettings
from worker.store.pool import Pool
from worker.store.readiness import missing_migrations


@asynccontextmanager
async def serving_probes(
    settings: ProcessorSettings, pool: Pool, readers: Mapping[str, QueueReader]
) -> AsyncIterator[str]:
    """Answers /healthz, /readyz and /metrics inside the block; gives the address, "" when port is 0: no server.

    Raises ImpossibleSetting when the address is taken.
    """
    if not settings.port:
        yield ""
        return

    async def healthz(_request: web.Request) -> web.Response:
        return _state(HTTPStatus.OK, {"alive": True})

    async def readyz(_request: web.Request) -> web.Response:
        missing = await _missing(pool, readers)
        http_status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        return _state(http_status, {"ready": not missing, "missing": missing})

    async def numbers(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", numbers)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            raise ImpossibleSetting(
                f"the worker cannot listen on {settings.host}:{settings.port} ({error}): give each worker of a machine"
                " a processor.port of its own, or 0 for none"
            ) from error
        yield f"http://{settings.host}:{settings.port}"
    finally:
        await runner.cleanup()


async def _missing(pool: Pool, readers: Mapping[str, QueueReader]) -> list[str]:
    missing = [
        f"the queue in {name} cannot be reached: it is tried again by itself"
        for name, reader in readers.items()
        if await reader.depth() is None
    ]
    try:
        names = await missing_migrations(pool)
    except (StoreUnavailable, ImpossibleSetting) as error:
        missing.append(str(error))
    else:
        if names:
            missing.append(f"the database lacks {', '.join(names)}: run `bouncekeeper migrate`")
    return missing


def _state(http_status: HTTPStatus, state: dict[str, object]) -> web.Response:
    return web.Response(body=msgspec.json.encode(state), status=http_status.value, content_type="application/json")

"""The API as a process: it opens its connections, serves until it must stop, and answers open requests."""

import asyncio
import time
from importlib.metadata import version

from worker.api.application import build_api
from worker.connections.listening import listening
from worker.connections.remote_address import RemoteAddress
from worker.process.logs import get_logger
from worker.settings.tree import Settings
from worker.store.availability import watch_store
from worker.store.pool import Pool, open_pool
from worker.store.writer_pool import open_writer_pool

log = get_logger()

_SHUTDOWN_SECONDS = 10.0
_DECIDING_AT_ONCE = 2


async def run_api(settings: Settings, stop: asyncio.Event) -> None:
    """Serves the API until `stop` is set; open requests are still answered.

    It starts even if Postgres is away: then it answers 503, and /readyz names what is missing.
    Raises ImpossibleSetting if it cannot listen.
    """
    started = time.monotonic()
    pool = await open_pool(
        settings.postgres.url.reveal(),
        connections=settings.postgres.pool_connections,
        command_timeout_seconds=settings.postgres.command_timeout_seconds,
        idle_connections=0,
        application_name="bouncekeeper api",
    )
    writer_pool = await open_writer_pool(
        settings.postgres.url.reveal(),
        connections=min(_DECIDING_AT_ONCE, settings.postgres.pool_connections),
        command_timeout_seconds=settings.postgres.command_timeout_seconds,
        idle_connections=0,
        application_name="bouncekeeper api decisions",
    )
    watching = asyncio.create_task(watch_store(pool, stop, role="api", writes=False))
    try:
        app = build_api(
            pool=pool,
            writer_pool=writer_pool,
            policy=settings.policy,
            settings=settings.api,
            source_accounts=settings.source_accounts,
            safelist=settings.safelist,
            unsubscribe=settings.unsubscribe,
            recheck=settings.recheck,
        )
        async with listening(
            app,
            host=settings.api.host,
            port=settings.api.port,
            role="api",
            remedy="end the program that listens there, or choose another port with api.port, another address with "
            "api.host",
            shutdown_seconds=_SHUTDOWN_SECONDS,
            connections=settings.connections,
            is_trusted=RemoteAddress(settings.api.trusted_proxies).is_trusted,
        ) as address:
            log.info("process.started", role="api", version=version("bouncekeeper"), address=address)
            await stop.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await _close(writer_pool)
        await _close(pool)
    log.info("process.stopped", role="api", seconds=round(time.monotonic() - started, 3))


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(_SHUTDOWN_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()  # a statement still runs, but nobody waits for its answer

"""The receiver as a process: opens the queue, listens, and stops without losing what it accepted."""

import asyncio
import gc
import sys
import time
from importlib.metadata import version

from worker.connections.listening import listening
from worker.connections.remote_address import RemoteAddress
from worker.process.logs import get_logger
from worker.providers.registry import PROVIDERS
from worker.queue.opening import open_writer
from worker.receiver.application import build_receiver
from worker.settings.tree import Settings

log = get_logger()

# What aiohttp and the queue's clients leave behind is freed without the collector; it need look less often.
_COLLECT_AFTER_ALLOCATIONS = 20_000
# On Linux the kernel shares a port's connections out among the receivers that listen on it.
_SHARE_PORT = sys.platform == "linux"


async def run_receiver(settings: Settings, stop: asyncio.Event) -> None:
    """Receives webhooks until `stop` is set; then everything that was accepted is finished and answered.

    Starts while the broker or Postgres are away. Raises ImpossibleSetting when it cannot listen or the
    broker refuses us.
    """
    started = time.monotonic()
    writer = await open_writer(settings, postgres_connections=settings.receiver.groups_in_flight)
    try:
        app = build_receiver(
            settings=settings.receiver,
            sources=settings.sources,
            writer=writer,
            providers=PROVIDERS,
            connections=settings.connections,
        )
        async with listening(
            app,
            host=settings.receiver.host,
            port=settings.receiver.port,
            role="receiver",
            remedy="set receiver.host and receiver.port to an address of this machine that nobody else uses",
            shutdown_seconds=settings.receiver.drain_seconds,
            share_port=_SHARE_PORT,
            connections=settings.connections,
            is_trusted=RemoteAddress(settings.receiver.trusted_proxies).is_trusted,
        ) as address:
            _calm_garbage_collection()
            log.info("process.started", role="receiver", version=version("bouncekeeper"), address=address)
            await stop.wait()
    finally:
        await writer.close()
    log.info("process.stopped", role="receiver", seconds=round(time.monotonic() - started, 3))


def _calm_garbage_collection() -> None:
    # What is alive now lives as long as the process: it need not be looked through each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_ALLOCATIONS, 20, 100)

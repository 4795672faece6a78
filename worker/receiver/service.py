"""The receiver as a process: it opens the queue, listens, and stops without losing a webhook that it has accepted."""

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

# aiohttp and the queue's clients leave few cycles behind, so the garbage collector need not run as often.
_COLLECT_AFTER_ALLOCATIONS = 20_000
# On Linux, the kernel distributes the connections among all receivers that listen on the port.
_SHARE_PORT = sys.platform == "linux"


async def run_receiver(settings: Settings, stop: asyncio.Event) -> None:
    """Receives webhooks until `stop` is set. Webhooks that have arrived by then are still answered.

    It starts even if the broker or Postgres is away. Raises ImpossibleSetting if it cannot listen, or if the broker
    refuses us.
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
            unsubscribe=settings.unsubscribe,
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
    # The objects that exist now live as long as the process: the collector need not look at them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER_ALLOCATIONS, 20, 100)

"""The processor's small HTTP server, only for probes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from worker.connections.listening import listening
from worker.process.probes import add_probes
from worker.queue.port import QueueReader
from worker.settings.tree import ProcessorSettings
from worker.store.pool import Pool
from worker.store.readiness import missing_in_database


@asynccontextmanager
async def serving_probes(
    settings: ProcessorSettings, pool: Pool, readers: Mapping[str, QueueReader]
) -> AsyncIterator[str]:
    """Answers probes inside the block; gives the address, or "" without a server because the port is 0.

    Raises ImpossibleSetting if it cannot listen.
    """
    if not settings.port:
        yield ""
        return

    app = web.Application()
    add_probes(app, partial(_missing, pool, readers))
    async with listening(
        app,
        host=settings.host,
        port=settings.port,
        role="processor",
        remedy="give each processor of a machine a processor.port of its own, or 0 for none",
    ) as address:
        yield address


async def _missing(pool: Pool, readers: Mapping[str, QueueReader]) -> list[str]:
    away = [
        f"the queue in {name} cannot be reached: it is tried again by itself"
        for name, reader in readers.items()
        if await reader.depth() is None
    ]
    return [*away, *await missing_in_database(pool)]

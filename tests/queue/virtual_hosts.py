"""Virtual hosts made in stock: alone, each would cost a test seconds."""

import asyncio
import itertools
from collections.abc import Iterable
from typing import cast

import aio_pika
import asyncpg
from aiormq import Channel

from schemas.lane import Lane
from worker.local_services.rabbitmq import RabbitMQ
from worker.queue.rabbitmq_topology import declare_lanes, declare_webhooks

# Lanes that tests may use, of two sources; a queue that is made on the spot would cost each of them two seconds.
BUSY, QUIET, IMPORT = Lane(source="busy"), Lane(source="quiet"), Lane(source="quiet", bulk=True)
LANES = (BUSY, QUIET, IMPORT)
_FEWEST_AT_ONCE, _MOST_AT_ONCE = 12, 48  # one alone takes nearly as long as a dozen
_BARE_AT_ONCE = 4
_numbers = itertools.count(1)


async def note_lanes(connection: "asyncpg.Connection[asyncpg.Record]", lanes: Iterable[Lane]) -> None:
    """Lets processors read them, though none has their sources in its configuration."""
    names = [lane.name for lane in lanes]
    await connection.execute("INSERT INTO queue_lanes SELECT unnest($1::text[]), now()", names)


class VirtualHosts:
    """Virtual hosts of a broker of ours, each given out once; `needed` are expected to be asked for."""

    def __init__(self, rabbitmq: RabbitMQ, *, needed: int) -> None:
        self._rabbitmq = rabbitmq
        self._needed = needed
        self._declared: list[str] = []
        self._bare: list[str] = []

    async def one(self, *, declared: bool) -> str:
        """The URL of a fresh one, with our queues or with nothing in it."""
        if not declared:
            if not self._bare:
                self._bare = await self._rabbitmq.create_virtual_hosts([_name() for _ in range(_BARE_AT_ONCE)])
            return self._bare.pop()
        if not self._declared:
            at_once = max(_FEWEST_AT_ONCE, min(self._needed, _MOST_AT_ONCE))
            urls = await self._rabbitmq.create_virtual_hosts([_name() for _ in range(at_once)])
            await asyncio.gather(*(_declare(url) for url in urls))
            self._needed -= at_once
            self._declared = urls
        return self._declared.pop()


async def _declare(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        underlay = cast("Channel", await channel.get_underlay_channel())
        await declare_webhooks(underlay)
        await declare_lanes(underlay, LANES)


def _name() -> str:
    return f"test-{next(_numbers)}"

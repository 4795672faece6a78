"""What the conformance suite needs of a queue: opened ends, and a server that can be taken away."""

import contextlib
import subprocess
import sys
import textwrap
from typing import Protocol

from tests.queue.virtual_hosts import LANES
from worker.errors import QueueUnavailable
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq import RabbitMQ
from worker.queue.port import QueueReader, QueueWriter
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter

_READER_THAT_HANGS = textwrap.dedent("""
    import asyncio, sys
    from worker.process.logs import configure_logging
    from worker.queue.{module} import {reader}
    configure_logging(level="error")
    async def main():
        reader = await {reader}.open(sys.argv[1])
        leases = []
        while len(leases) < int(sys.argv[2]):
            leases += await reader.take(max_parcels=100, max_wait_seconds=5)
        print(len(leases), flush=True)
        await asyncio.sleep(600)
    asyncio.run(main())
""")


class QueueKit(Protocol):
    async def open_writer(self) -> QueueWriter: ...

    async def open_reader(self) -> QueueReader:
        """A reader of the lanes in tests.queue.virtual_hosts, beside the shared ones."""
        ...

    def start_hanging_reader(self, parcels: int) -> "subprocess.Popen[bytes]":
        """A process that takes so many parcels, prints a line and never acknowledges."""
        ...

    async def stop(self) -> None: ...

    async def kill(self) -> None: ...

    async def start(self) -> None: ...


class RabbitMQKit:
    def __init__(self, url: str, broker: RabbitMQ) -> None:
        self.url = url
        self.broker = broker

    async def open_writer(self) -> QueueWriter:
        return await RabbitMQWriter.open(self.url)

    async def open_reader(self) -> QueueReader:
        reader = await RabbitMQReader.open(self.url, prefetch=64)
        with contextlib.suppress(QueueUnavailable):  # some tests open it while the broker is away
            await reader.follow(LANES)
        return reader

    def start_hanging_reader(self, parcels: int) -> "subprocess.Popen[bytes]":
        return _start_hanging_reader("rabbitmq", "RabbitMQReader", self.url, parcels)

    async def stop(self) -> None:
        await self.broker.stop()

    async def kill(self) -> None:
        await self.broker.kill()

    async def start(self) -> None:
        await self.broker.restart()


class PostgresKit:
    def __init__(self, dsn: str, postgres: EmbeddedPostgres) -> None:
        self.dsn = dsn
        self.postgres = postgres

    async def open_writer(self) -> QueueWriter:
        return await PostgresWriter.open(self.dsn)

    async def open_reader(self) -> QueueReader:
        return await PostgresReader.open(self.dsn)

    def start_hanging_reader(self, parcels: int) -> "subprocess.Popen[bytes]":
        return _start_hanging_reader("postgres", "PostgresReader", self.dsn, parcels)

    async def stop(self) -> None:
        await self.postgres.stop()

    async def kill(self) -> None:
        await self.postgres.kill()

    async def start(self) -> None:
        await self.postgres.restart()


class Opened:
    """The ends that a test has opened, closed after it whatever happens."""

    def __init__(self, kit: QueueKit) -> None:
        self.kit = kit
        self._ends: list[QueueWriter | QueueReader] = []

    async def writer(self) -> QueueWriter:
        writer = await self.kit.open_writer()
        self._ends.append(writer)
        return writer

    async def reader(self) -> QueueReader:
        reader = await self.kit.open_reader()
        self._ends.append(reader)
        return reader

    async def close(self) -> None:
        for end in self._ends:
            await end.close()


def _start_hanging_reader(module: str, reader: str, url: str, parcels: int) -> "subprocess.Popen[bytes]":
    program = _READER_THAT_HANGS.format(module=module, reader=reader)
    return subprocess.Popen([sys.executable, "-c", program, url, str(parcels)], stdout=subprocess.PIPE)

"""Receivers and processors as `make stack` runs them, and how fast events get through to the database."""

import asyncio
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import asyncpg
from msgspec import Struct

from schemas.source import Source
from tests.benchmarks.benchmark import Bench
from tests.benchmarks.load import require_all_accepted, send
from tests.benchmarks.servers import Server, our_command, stop_all, write_config
from tests.benchmarks.services import empty_tables
from tests.benchmarks.stored_rows import OUR_ROWS

_SEND_SECONDS = 600.0
_COMMIT_SECONDS = 120.0  # after the last answer
_POLL_SECONDS = 0.2


class Topology(Struct, frozen=True, kw_only=True):
    """How many processes of each kind."""

    receivers: int
    processors: int

    def __str__(self) -> str:
        return f"receivers: {self.receivers}, processors: {self.processors}"


class OurPipeline:
    """Running receivers and processors with their queue and database."""

    def __init__(self, dsn: str, servers: list[Server]) -> None:
        self.dsn = dsn
        self.servers = servers

    @classmethod
    async def start(cls, bench: Bench, topology: Topology, *, sources: Sequence[Source], dsn: str) -> Self:
        """Each process started by its command, on one configuration; receivers differ in their port."""
        broker = await bench.services.rabbitmq()
        servers: list[Server] = []
        try:
            for number in range(topology.receivers):
                config = bench.folder / f"pipeline-{number}.toml"
                port = write_config(config, sources=sources, postgres_url=dsn, queue_url=broker.url)
                name = f"receiver-{number + 1}"
                servers.append(
                    await Server.start(name, our_command("receiver", config), folder=bench.folder, ports=[port])
                )
            for number in range(topology.processors):
                config = bench.folder / "pipeline-0.toml"
                name = f"processor-{number + 1}"
                servers.append(
                    await Server.start(
                        name, our_command("processor", config), folder=bench.folder, ready_text="process.started"
                    )
                )
        except BaseException:
            await stop_all(servers)
            raise
        return cls(dsn, servers)

    @property
    def ports(self) -> list[int]:
        """Where to post to."""
        return [port for server in self.servers for port in server.ports]

    async def rate(self, requests: Path, count: int) -> float:
        """Events per second, from the first request to the last commit."""
        rate = await committed_rate(requests, self.ports, dsn=self.dsn, count=count, name="ours")
        for server in self.servers:
            if not server.running:
                raise RuntimeError(f"{server.name} ended by itself; its log ends:\n{server.process.last_lines()}")
        return rate

    async def stop(self) -> None:
        """Ends all processes."""
        await stop_all(self.servers)


_LAST_COMMIT = "SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin))) FROM {rows} e"


async def committed_rate(
    requests: Path, ports: Sequence[int], *, dsn: str, count: int, name: str, rows: str = OUR_ROWS
) -> float:
    """Sends all requests to empty tables; events per second from the first request to the last commit."""
    await empty_tables(dsn)
    times = requests.with_suffix(".times")
    report = await send(requests, ports, seconds=_SEND_SECONDS, times=times)
    require_all_accepted(report, name)
    last_commit = await wait_for_commits(dsn, count, name, rows=rows)
    due_at = array("d")
    due_at.frombytes(times.read_bytes())
    return count / (last_commit - min(due_at))


async def wait_for_commits(dsn: str, count: int, name: str, *, rows: str = OUR_ROWS) -> float:
    """When the last of so many events was committed, in Unix seconds by the server's clock, which is ours."""
    deadline = time.monotonic() + _COMMIT_SECONDS
    connection = await asyncpg.connect(dsn)
    try:
        while (stored := await connection.fetchval(f"SELECT count(*) FROM {rows} e")) < count:  # noqa: S608 - a constant
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{name}: {stored:,} events of {count:,} are committed after {_COMMIT_SECONDS:.0f} seconds"
                )
            await asyncio.sleep(_POLL_SECONDS)
        if stored > count:
            raise RuntimeError(f"{name}: {stored:,} events are stored, and only {count:,} were sent")
        return float(await connection.fetchval(_LAST_COMMIT.format(rows=rows)))
    finally:
        await connection.close()

"""Attacks on a listening port of this machine, each in a process of its own: `python -m tests.faults.attack --help`.

Every attack ends by itself after its seconds. A connection that is closed is opened again at once, as a real attacker
does. One JSON object (`AttackReport`) is printed at the end.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import uvloop
from msgspec import Struct

_AGAIN_SECONDS = 0.01  # between the end of a connection and the next one
_DRIP_SECONDS = 0.2
_BLOCK_BYTES = 64 * 1024
_NICENESS = 5  # real attackers have processors of their own, and leave ours to the receiver


class AttackReport(Struct, frozen=True, kw_only=True):
    """What the attacker saw."""

    connections: int  # opened in all
    refused: int  # could not be opened
    answers: dict[str, int]  # by HTTP status; "" for connections that were closed without one
    sent_bytes: int


class _Tally:
    def __init__(self) -> None:
        self.connections = self.refused = self.sent_bytes = 0
        self.answers: dict[str, int] = {}


class _Connection:
    """One connection of the attacker: what it says is counted, what it hears is looked at for the status alone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: _Tally) -> None:
        self._reader, self._writer, self._tally = reader, writer, tally

    async def send(self, data: bytes) -> None:
        """Sends; raises ConnectionError once the other side has closed."""
        if self._reader.at_eof() or self._writer.is_closing():
            raise ConnectionResetError
        self._writer.write(data)
        self._tally.sent_bytes += len(data)
        await self._writer.drain()

    async def closed(self) -> None:
        """Returns when the other side has closed."""
        while await self._reader.read(_BLOCK_BYTES):
            pass

    async def count_answers(self) -> None:
        status = ""
        with contextlib.suppress(ConnectionError):
            while block := await self._reader.read(_BLOCK_BYTES):
                if not status:
                    status = block.partition(b" ")[2][:3].decode("ascii", "replace")
        self._tally.answers[status] = self._tally.answers.get(status, 0) + 1


Attack = Callable[[_Connection, str], Awaitable[None]]


async def _hold(connection: _Connection, _path: str) -> None:
    """Says nothing."""
    while True:
        await asyncio.sleep(_DRIP_SECONDS)
        await connection.send(b"")


async def _tiny_chunks(connection: _Connection, path: str) -> None:
    """A body without end in chunks of one byte, as fast as the network takes it."""
    await connection.send(_head(path, "Transfer-Encoding: chunked"))
    block = b"1\r\nx\r\n" * (_BLOCK_BYTES // 6)
    while True:
        await connection.send(block)


async def _tiny_writes(connection: _Connection, path: str) -> None:
    """The same with a packet for each chunk."""
    await connection.send(_head(path, "Transfer-Encoding: chunked"))
    while True:
        for _ in range(50):
            await connection.send(b"1\r\nx\r\n")
        await asyncio.sleep(0)


async def _chunk_extensions(connection: _Connection, path: str) -> None:
    """A body without end whose chunks are nearly all framing."""
    await connection.send(_head(path, "Transfer-Encoding: chunked"))
    block = (b"1;" + b"e" * 4096 + b"\r\nx\r\n") * 16
    while True:
        await connection.send(block)


async def _drip(connection: _Connection, path: str) -> None:
    """A body of a declared length that comes byte by byte."""
    await connection.send(_head(path, "Content-Length: 100000"))
    while True:
        await asyncio.sleep(_DRIP_SECONDS)
        await connection.send(b"x")


async def _half_open(connection: _Connection, path: str) -> None:
    """A head, and a body that never comes."""
    await connection.send(_head(path, "Content-Length: 1000"))
    while True:
        await asyncio.sleep(_DRIP_SECONDS)
        await connection.send(b"")


async def _slow_heads(connection: _Connection, path: str) -> None:
    """A head that comes byte by byte."""
    for byte in _bytes_of(_head(path, "X: " + "x" * 4000)):
        await connection.send(byte)
        await asyncio.sleep(_DRIP_SECONDS)


async def _endless_heads(connection: _Connection, path: str) -> None:
    """A head without end, as fast as the network takes it."""
    await connection.send(_head(path, "X: x")[:-2])
    number = 0
    while True:
        await connection.send(b"".join(b"X-%d: %s\r\n" % (number + count, b"x" * 1000) for count in range(32)))
        number += 32


async def _pipelined_junk(connection: _Connection, _path: str) -> None:
    """Requests without end, sent without waiting for an answer, to paths that do not exist."""
    block = b"GET /junk HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    while True:
        await connection.send(block)


async def _no_http(connection: _Connection, _path: str) -> None:
    """Bytes that are no HTTP."""
    while True:
        await connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n" * 4096)


# By name: what each connection does, and how many there are.
ATTACKS: dict[str, tuple[Attack, int]] = {
    "tiny chunks": (_tiny_chunks, 20),
    "tiny writes": (_tiny_writes, 20),
    "chunk extensions": (_chunk_extensions, 20),
    "idle connections": (_hold, 1_100),
    "half-open requests": (_half_open, 1_100),
    "dripped bodies": (_drip, 1_100),
    "slow heads": (_slow_heads, 1_100),
    "endless heads": (_endless_heads, 20),
    "pipelined junk": (_pipelined_junk, 20),
    "no HTTP": (_no_http, 20),
}


async def attack(name: str, *, port: int, path: str, seconds: float, connections: int) -> AttackReport:
    """The attack, until its seconds are over."""
    what, _ = ATTACKS[name]
    tally = _Tally()

    async def keep_attacking() -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_BLOCK_BYTES)
            except OSError:
                tally.refused += 1
                await asyncio.sleep(_DRIP_SECONDS)
                continue
            tally.connections += 1
            connection = _Connection(reader, writer, tally)
            answers = asyncio.ensure_future(connection.count_answers())
            try:
                with contextlib.suppress(ConnectionError):
                    await what(connection, path)
            finally:
                writer.close()
                await asyncio.wait([answers], timeout=0.1)
                answers.cancel()
            await asyncio.sleep(_AGAIN_SECONDS)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(keep_attacking())
    return AttackReport(
        connections=tally.connections, refused=tally.refused, answers=tally.answers, sent_bytes=tally.sent_bytes
    )


def _head(path: str, field: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{field}\r\n\r\n".encode()


def _bytes_of(data: bytes) -> Iterator[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.attack", description=__doc__)
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, required=True)
    options = parser.parse_args()
    os.nice(_NICENESS)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report = uvloop.run(
        attack(
            options.name,
            port=options.port,
            path=options.path,
            seconds=options.seconds,
            connections=options.connections,
        )
    )
    print(msgspec.json.encode(report).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

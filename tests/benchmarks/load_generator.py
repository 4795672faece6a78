"""Sends prepared HTTP/1.1 requests and counts the answers; a process of its own, the same for ours and theirs.

It shares its cores with what it measures, so it does as little as it can: requests are bytes made beforehand,
answers are looked at only as far as finding their end takes. Prints one JSON object (`LoadReport`).

Closed loop: every connection sends its next request when the answer is there. Open loop (`--rate`): requests are
due at fixed times whatever the server does, and a latency counts from when the request was due, so that a server
that stalls cannot hide it.
"""

import argparse
import asyncio
import mmap
import struct
import sys
import time
from array import array
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

LENGTH = struct.Struct("<I")  # before each request in the file
_HEADERS_END = b"\r\n\r\n"
_TICK_SECONDS = 0.001


class LoadReport(Struct, frozen=True, kw_only=True):
    """What happened. Times are time.monotonic() of this machine, comparable between its processes."""

    sent: int
    accepted: int  # answered 2xx
    other: dict[str, int]  # other answers by status
    connection_errors: int  # connections lost while an answer was awaited, or never made
    started_at: float
    finished_at: float
    seconds: float
    per_second: float  # accepted ones
    p50_seconds: float
    p99_seconds: float
    longest_seconds: float
    cpu_seconds: float  # of this process


class _Load:
    """The requests, who sends which next, and the tally."""

    def __init__(
        self, requests: list[bytes], *, deadline: float, cycle: bool, finished: "asyncio.Future[None]"
    ) -> None:
        self.requests = requests
        self.deadline = deadline
        self.cycle = cycle
        self.finished = finished
        self.next_index = 0
        self.in_flight = 0
        self.accepted = 0
        self.other: dict[str, int] = {}
        self.connection_errors = 0
        self.latencies = array("d")
        self.due_at = array("d", bytes(8 * len(requests)))  # wall clock, by the request's place in the file
        self.last_answer_at = 0.0

    def take(self) -> int:
        """The index of the next request, or -1 when there is none or time is up."""
        if time.monotonic() > self.deadline:
            return -1
        index = self.next_index
        if index == len(self.requests):
            if not self.cycle:
                return -1
            index = 0
        self.next_index = index + 1
        return index

    def answered(self, status: bytes, latency_seconds: float) -> None:
        self.in_flight -= 1
        self.latencies.append(latency_seconds)
        if status[:1] == b"2":
            self.accepted += 1
        else:
            name = status.decode("latin-1")
            self.other[name] = self.other.get(name, 0) + 1

    def failed(self) -> None:
        self.in_flight -= 1
        self.connection_errors += 1

    def end(self) -> None:
        if not self.finished.done():
            self.last_answer_at = time.monotonic()
            self.finished.set_result(None)


class _Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self, pool: "_Pool", port: int) -> None:
        self.pool = pool
        self.port = port
        self.transport: asyncio.WriteTransport | None = None
        self.due_at = 0.0
        self.waiting = False
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a TCP transport is one to write to
        self.pool.ready(self)

    def send(self, index: int, due_at: float) -> None:
        load = self.pool.load
        self.due_at = due_at
        self.waiting = True
        load.in_flight += 1
        load.due_at[index] = time.time() - (time.monotonic() - due_at)
        self.transport.write(load.requests[index])  # type: ignore[union-attr]  # set before ready() was called

    def data_received(self, data: bytes) -> None:
        if self.received:
            data = self.received + data
        headers_end = data.find(_HEADERS_END)
        if headers_end < 0 or not _is_complete(data, headers_end):
            self.received = data
            return
        self.received = b""
        self.waiting = False
        self.pool.load.answered(data[9:12], time.monotonic() - self.due_at)
        if b"onnection: close" in data[:headers_end]:
            self.transport.close()  # type: ignore[union-attr]  # connected
            self.pool.connect(self.port)
        else:
            self.pool.ready(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self.waiting:
            self.waiting = False
            self.pool.load.failed()
            self.pool.connect(self.port)
        else:
            self.pool.forget(self)


def _is_complete(data: bytes, headers_end: int) -> bool:
    start = data.find(b"ontent-Length: ", 0, headers_end)
    if start < 0:
        start = data.find(b"ontent-length: ", 0, headers_end)
    if start >= 0:
        length = int(data[start + 15 : data.find(b"\r", start)])
        return len(data) >= headers_end + 4 + length
    return b"chunked" not in data[:headers_end] or data.endswith(b"0\r\n\r\n")


class _Pool:
    """The connections. Closed loop: whoever is ready sends. Open loop: the clock says when."""

    def __init__(self, load: _Load, *, rate: float) -> None:
        self.load = load
        self.rate = rate
        self.idle: deque[_Connection] = deque()
        self.due: deque[tuple[int, float]] = deque()
        self.all_due = False
        self.connecting: set[asyncio.Task[None]] = set()

    def connect(self, port: int) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(port))
        self.connecting.add(task)
        task.add_done_callback(self.connecting.discard)

    async def _connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        while not self.load.finished.done():
            try:
                await loop.create_connection(lambda: _Connection(self, port), "127.0.0.1", port)
            except OSError:
                if time.monotonic() > self.load.deadline:
                    self.load.connection_errors += 1
                    self.load.end()
                    return
                await asyncio.sleep(0.01)
            else:
                return

    def ready(self, connection: _Connection) -> None:
        load = self.load
        if not self.rate:
            index = load.take()
            if index >= 0:
                connection.send(index, time.monotonic())
            elif load.in_flight == 0:
                load.end()
        elif self.due:
            connection.send(*self.due.popleft())
        else:
            self.idle.append(connection)
            if self.all_due and load.in_flight == 0:
                load.end()

    def forget(self, connection: _Connection) -> None:
        if connection in self.idle:  # the server closed a connection that was idle
            self.idle.remove(connection)
            self.connect(connection.port)

    async def run_clock(self) -> None:
        """Makes requests due at the given rate and hands them to connections that are idle."""
        started = time.monotonic()
        made_due = 0
        while True:
            wanted = int((time.monotonic() - started) * self.rate)
            while made_due < wanted:
                index = self.load.take()
                if index < 0:
                    self.all_due = True
                    if self.load.in_flight == 0 and not self.due:
                        self.load.end()
                    return
                due_at = started + made_due / self.rate
                made_due += 1
                if self.idle:
                    self.idle.popleft().send(index, due_at)
                else:
                    self.due.append((index, due_at))
            await asyncio.sleep(_TICK_SECONDS)


def _read_requests(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        position = 0
        while position < len(content):
            (length,) = LENGTH.unpack_from(content, position)
            position += LENGTH.size
            yield content[position : position + length]
            position += length


async def _run(options: argparse.Namespace, requests: list[bytes]) -> LoadReport:
    finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    cpu_before, started = time.process_time(), time.monotonic()
    load = _Load(requests, deadline=started + options.seconds, cycle=options.cycle, finished=finished)
    pool = _Pool(load, rate=options.rate)
    for number in range(options.connections):
        pool.connect(options.port[number % len(options.port)])
    clock = asyncio.create_task(pool.run_clock()) if options.rate else None
    # Requests on their way when time is up are waited for, but not for ever.
    await asyncio.wait([finished], timeout=options.seconds + options.grace_seconds)
    if clock is not None:
        clock.cancel()
    if not finished.done():
        load.connection_errors += load.in_flight
        load.end()
    seconds = load.last_answer_at - started
    if options.times is not None:
        options.times.write_bytes(load.due_at.tobytes())
    ordered = sorted(load.latencies)
    return LoadReport(
        sent=len(ordered) + load.connection_errors,
        accepted=load.accepted,
        other=load.other,
        connection_errors=load.connection_errors,
        started_at=started,
        finished_at=load.last_answer_at,
        seconds=seconds,
        per_second=load.accepted / seconds,
        p50_seconds=_percentile(ordered, 0.50),
        p99_seconds=_percentile(ordered, 0.99),
        longest_seconds=ordered[-1] if ordered else 0.0,
        cpu_seconds=time.process_time() - cpu_before,
    )


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _main() -> None:
    parser = argparse.ArgumentParser(prog="load_generator", description=__doc__)
    parser.add_argument("requests", type=Path, help="file of requests, each after its length")
    parser.add_argument("--port", type=int, action="append", required=True, help="of 127.0.0.1; may repeat")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0, help="no request is begun after that")
    parser.add_argument("--grace-seconds", type=float, default=30.0, help="for answers under way by then")
    parser.add_argument("--cycle", action="store_true", help="begin the file anew until time is up")
    parser.add_argument("--rate", type=float, default=0.0, help="open loop: requests per second")
    parser.add_argument("--times", type=Path, help="write here when each request was due, as doubles")
    options = parser.parse_args()
    report = uvloop.run(_run(options, list(_read_requests(options.requests))))
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")


if __name__ == "__main__":
    _main()

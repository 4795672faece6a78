"""All connections of one port: their limit, which one makes room for a new one, and the log lines about it."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from worker.connections.open_files import open_files
from worker.connections.opening import Opening
from worker.connections.seats import Seats, State
from worker.process import metrics
from worker.process.logs import get_logger
from worker.settings.tree import ConnectionSettings

if TYPE_CHECKING:
    from worker.connections.connection import Connection

log = get_logger()

_SWEEP_SECONDS = 0.25
_LOG_AGAIN_SECONDS = 60.0
# The most that one read takes: of bodies with little framing, and of everything else. In chunks of one byte, which cost
# aiohttp 2 µs each, the smaller one takes a millisecond.
_READ_BYTES = 32 * 1024
_CAREFUL_READ_BYTES = 4 * 1024

DETAILS = {
    "no_room": "all connections of this port have requests that are being answered: add receivers, or raise "
    "connections.max_open and the limit of open files",
    "no_room_for_address": "one address has too many requests that are being answered: find out who it is, or raise "
    "connections.max_per_address",
    "made_room": "the limit of open connections is reached, so the one that kept us waiting longest was closed for a "
    "new one: find out who opens them, or raise connections.max_open, connections.max_per_address and the limit of "
    "open files",
    "slow_head": "the head of a request was not complete within connections.head_timeout_seconds",
    "large_head": "the head of a request was larger than 32 KiB",
    "slow_body": "a body came more slowly than connections.min_body_bytes_per_second",
    "tiny_chunks": "a body came in chunks so small that there was more framing than body",
    "malformed_http": "the bytes are not HTTP: mostly a scanner, else a broken proxy",
    "pipelined": "requests were sent without waiting for earlier answers",
}


class Crowd:
    """The connections of one port."""

    def __init__(self, role: str, settings: ConnectionSettings, is_trusted: Callable[[str], bool]) -> None:
        self._open_files = open_files()
        self.role = role
        self.settings = settings
        self.max_open = min(settings.max_open, self._open_files.for_connections)
        # One address must leave room for the others.
        self.max_per_address = min(settings.max_per_address, max(1, self.max_open // 2))
        # All connections read into this buffer and copy their bytes before the next one reads.
        self.read_buffer = memoryview(bytearray(_READ_BYTES))
        self.careful_read_buffer = self.read_buffer[:_CAREFUL_READ_BYTES]
        self.opening = Opening()
        self._is_trusted = is_trusted
        self._seats = Seats()
        self._by_address: dict[str, Seats] = {}
        self._unlogged: dict[str, int] = {}  # by reason: cut off since the last line about it
        self._log_at: dict[str, float] = {}
        self._cut_off = {reason: metrics.CONNECTIONS_CUT_OFF.labels(role, reason) for reason in DETAILS}
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """The number of open connections."""
        return self._seats.taken

    def open(self) -> None:
        """Starts the regular checks of the connections."""
        self._open_files.crowds.append(self)
        metrics.CONNECTIONS.labels(self.role).set_function(lambda: float(self.size))
        if self.max_open < self.settings.max_open:
            log.warning(
                "connections.limited",
                role=self.role,
                max_open=self.max_open,
                open_files=self._open_files.limit,
            )
        self._sweep_later()

    def close(self) -> None:
        """Ends connections that have not sent anything yet, and stops the regular checks."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
            self._open_files.crowds.remove(self)
        for connection in self._seats.waited_for():
            connection.end_if_silent()

    # ── coming and going ────────────────────────────────────────────────────────────────────────────────

    def admit(self, connection: "Connection") -> bool:
        """True if there is a free seat, or another connection could be closed for this one."""
        address = connection.address_block
        of_address = self._by_address.get(address)
        if (
            of_address is not None
            and of_address.taken >= self.max_per_address
            and not self._is_trusted(connection.address)
            and not self._made_room(of_address)
        ):
            return self._turned_away(connection, "no_room_for_address")
        if self._seats.taken >= self.max_open and not self._made_room(self._seats):
            return self._turned_away(connection, "no_room")
        if self._open_files.are_used_up and not any(
            crowd._made_room(crowd._seats)  # noqa: SLF001 - another one of this class
            for crowd in (self, *self._open_files.crowds)
        ):
            return self._turned_away(connection, "no_room")
        self._by_address.setdefault(address, of_address or Seats()).enter(connection)
        self._seats.enter(connection)
        return True

    def move(self, connection: "Connection", after: State) -> None:
        """Records the new state of the connection."""
        if connection.state is State.GONE:
            return
        connection.state = after
        self._seats.move(connection, after)
        of_address = self._by_address[connection.address_block]
        of_address.move(connection, after)
        if of_address.taken == 0:
            del self._by_address[connection.address_block]

    def _turned_away(self, connection: "Connection", reason: str) -> bool:
        self.count(reason, connection.address)
        return False

    def _made_room(self, seats: Seats) -> bool:
        dispensable = seats.most_dispensable()
        if dispensable is None:
            return False
        self.count("made_room", dispensable.address)
        dispensable.end()
        return True

    # ── regular checks ──────────────────────────────────────────────────────────────────────────────────

    def _sweep_later(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep_now)

    def _sweep_now(self) -> None:
        now = time.monotonic()
        for connection in self._seats.waited_for():
            connection.look_at_clock(now)
        for reason, count in self._unlogged.items():
            if count and now >= self._log_at[reason]:
                self._log_count(reason, now)
        self._sweep_later()

    # ── log lines ───────────────────────────────────────────────────────────────────────────────────────

    def count(self, reason: str, address: str) -> None:
        """Counts a connection that was cut off or turned away. Logs the first at once, then the count once a minute."""
        self._cut_off[reason].inc()
        self._unlogged[reason] = self._unlogged.get(reason, 0) + 1
        now = time.monotonic()
        if now >= self._log_at.get(reason, 0.0):
            self._log_count(reason, now, remote_address=address)

    def _log_count(self, reason: str, now: float, **fields: str) -> None:
        log.warning(
            "connection.cut_off",
            role=self.role,
            reason=reason,
            detail=DETAILS[reason],
            count=self._unlogged[reason],
            open=self.size,
            **fields,
        )
        self._unlogged[reason] = 0
        self._log_at[reason] = now + _LOG_AGAIN_SECONDS

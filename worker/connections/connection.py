"""One connection of a listening port, between the network and aiohttp.

aiohttp parses everything as fast as it comes, and waits as long as a sender sends a little. This class limits how much
aiohttp gets at a time, and cuts off slow senders: with an answer if there is a request to answer.
"""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import StreamReader

from worker.connections.crowd import Crowd
from worker.connections.remote_address import address_block
from worker.connections.seats import State
from worker.errors import BodyCutOff

_MAX_HEAD_BYTES = 32 * 1024
# The most that may come after a request that is not answered yet.
_MAX_AHEAD_BYTES = 64 * 1024
# Framing of chunks: so many bytes are free; beyond that a body may have one byte of framing per 16 of its own.
_FREE_FRAMING_BYTES = 16 * 1024
_BYTES_PER_FRAMING_BYTE = 16
# The rest of a refused body is read and dropped, because many senders read the answer only after sending everything.
# It is read at most so many bytes at a time, with a pause after them.
_IGNORED_AT_ONCE_BYTES = 128 * 1024
_IGNORING_PAUSE_SECONDS = 0.02
# For the sender of a body: what is wrong with it and what to do.
_BODY_PROBLEMS = {
    "slow_body": (
        "slow-request",
        HTTPStatus.REQUEST_TIMEOUT,
        "The body came too slowly.",
        "Send it faster, or in smaller parts.",
    ),
    "tiny_chunks": (
        "tiny-chunks",
        HTTPStatus.BAD_REQUEST,
        "The body came in chunks so small that much of it was framing.",
        "Send it with a Content-Length, or in larger chunks.",
    ),
}
_CHUNKED = b"chunked"
_HEAD_END = b"\r\n\r\n"


class Connection(asyncio.BufferedProtocol):
    """The protocol between the event loop and aiohttp's own, which it creates at the first byte."""

    __slots__ = (
        "_ahead_bytes",
        "_begun_at",
        "_content",
        "_crowd",
        "_declares_length",
        "_early",
        "_framing_base",
        "_handler",
        "_head_bytes",
        "_head_end",
        "_ignored_bytes",
        "_ignores",
        "_make_handler",
        "_reading",
        "_received_bytes",
        "_transport",
        "address",
        "address_block",
        "is_proven",
        "state",
    )

    def __init__(self, crowd: Crowd, make_handler: Callable[[], web.RequestHandler]) -> None:
        self.address = self.address_block = ""
        self.state = State.WAITED_FOR
        self.is_proven = False  # True once a request on it was genuine
        self._crowd = crowd
        self._make_handler = make_handler
        self._handler: web.RequestHandler | None = None
        self._transport: asyncio.Transport | None = None
        self._content: StreamReader | None = None  # the body of the request under way
        self._reading: asyncio.Task[Any] | None = None  # the handler of that request, until its body is complete
        self._begun_at = 0.0  # when the current head or body began, or the silence before it
        self._received_bytes = 0  # passed to aiohttp, in all
        self._framing_base = 0
        self._head_bytes = 0  # of an incomplete request head
        self._head_end = b""  # its last bytes, because the end of a head may come in two parts
        self._declares_length = False  # True if the last head does not mention chunks
        self._early = b""  # bytes that came before it was opened
        self._ahead_bytes = 0
        self._ignores = False
        self._ignored_bytes = 0

    # ── called by the event loop ────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admits the new connection, or answers 503."""
        self._transport = cast("asyncio.Transport", transport)
        self._begun_at = time.monotonic()
        peer = transport.get_extra_info("peername")
        if peer:
            self.address = str(peer[0])
            self.address_block = address_block(self.address)
        if not self._crowd.admit(self):
            self.state = State.GONE
            self._ignores = True
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "Retry-After: 30\r\n")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """The buffer to read into: the large one for a body with little framing, else the small one."""
        content = self._content
        if self._ignores:
            return self._crowd.read_buffer
        if content is not None:
            comes_well = self._framing_bytes(content) <= content.total_bytes // _BYTES_PER_FRAMING_BYTE
        else:
            comes_well = self._declares_length
        return self._crowd.read_buffer if comes_well else self._crowd.careful_read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Checks the received bytes and passes them to aiohttp."""
        if self._ignores:
            self._ignore(nbytes)
            return
        data = bytes(self._crowd.read_buffer[:nbytes])
        content = self._content
        if content is None:
            if self._is_large_head(data):
                self._cut_off("large_head", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return
        elif content.is_eof():
            self._ahead_bytes += nbytes if self._ahead_bytes else len(data.lstrip(b"\r\n"))
            if self._ahead_bytes > _MAX_AHEAD_BYTES:
                self._cut_off_behind()
                return
        elif self._framing_bytes(content) > _FREE_FRAMING_BYTES + content.total_bytes // _BYTES_PER_FRAMING_BYTE:
            self._cut_off_body(content, "tiny_chunks")
            return
        self._received_bytes += nbytes
        if self._handler is not None:
            self._handler.data_received(data)
        elif self._early:
            self._early += data
        elif self._crowd.opening.is_due():
            self._open(data)
        else:
            self._early = data
            self._pause()
            self._crowd.opening.wait(self)

    def eof_received(self) -> bool | None:
        """Closes the connection when the other side has finished sending, as aiohttp does."""
        return None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Frees the connection's seat."""
        self._crowd.move(self, State.GONE)
        self._ignores = True
        if self._handler is not None:
            self._handler.connection_lost(exc)
        self._transport = self._content = None

    def pause_writing(self) -> None:
        """The other side reads more slowly than we answer."""
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """The other side has caught up."""
        if self._handler is not None:
            self._handler.resume_writing()

    # ── called by the server ────────────────────────────────────────────────────────────────────────────

    def begin(self, content: StreamReader) -> None:
        """The handling of a request begins."""
        self._content = content
        self._head_bytes = self._ahead_bytes = 0
        self._head_end = b""
        if content.is_eof():
            self._crowd.move(self, State.ANSWERING)
            return
        self._begun_at = time.monotonic()
        self._reading = asyncio.current_task()
        self._framing_base = self._received_bytes - content.total_bytes
        self._crowd.move(self, State.WAITED_FOR)
        content.on_eof(self._body_is_complete)

    def finish(self, *, ignore_rest: bool) -> None:
        """The handling of a request ends. With `ignore_rest` the rest of its body is dropped."""
        if self._content is not None and isinstance(self._content.exception(), BodyCutOff):
            # The error was raised. aiohttp reads on for a while, so that the sender can read the answer.
            self._content.set_exception(cast("BaseException", None))
        self._content = self._reading = None
        self._declares_length = False
        self._ignores = self._ignores or ignore_rest
        self._begun_at = time.monotonic()
        self._head_bytes = self._ahead_bytes  # these may be a part of the next head, whose time begins now
        self._crowd.move(self, State.WAITED_FOR)

    def vouch_for(self) -> None:
        """The caller has authenticated. Connections whose callers never did are given up first."""
        self.is_proven = True

    def open(self) -> bool:
        """Opens it when its turn has come. False if it has gone meanwhile."""
        data, self._early = self._early, b""
        if self._transport is None or self._ignores:
            return False
        self._open(data)
        self._resume()
        return True

    # ── called by the crowd ─────────────────────────────────────────────────────────────────────────────

    def look_at_clock(self, now: float) -> None:
        """Ends the connection, or cuts off its request, if it takes too long."""
        settings = self._crowd.settings
        seconds = now - self._begun_at
        content = self._content
        if content is not None:
            allowed = settings.body_grace_seconds + content.total_bytes / settings.min_body_bytes_per_second
            if seconds > allowed and not self._ignores:
                self._cut_off_body(content, "slow_body")
        elif self._head_bytes and seconds > settings.head_timeout_seconds and not self._ignores:
            self._cut_off("slow_head", HTTPStatus.REQUEST_TIMEOUT)
        elif seconds > settings.idle_seconds:
            self.end()

    def end(self) -> None:
        """Closes at once. Drops unsent bytes, and cancels a handler that waits for the rest of a body."""
        self._ignores = True
        if self._reading is not None:
            self._reading.cancel()
        self._crowd.move(self, State.GONE)
        if self._transport is not None:
            self._transport.abort()

    def end_if_silent(self) -> None:
        """Closes a connection that has not sent anything yet, so that aiohttp does not know it."""
        if self._handler is None:
            self.end()

    # ── ours ────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, data: bytes) -> None:
        self._handler = handler = self._make_handler()
        handler.connection_made(cast("asyncio.Transport", self._transport))
        handler.data_received(data)

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _is_large_head(self, data: bytes) -> bool:
        """Counts the bytes of a head up to its end. True if it is too large."""
        if self._head_bytes == 0:
            data = data.lstrip(b"\r\n")  # blank lines between requests are allowed and do not count
            if not data:
                return False
            self._begun_at = time.monotonic()
        elif self._head_end == _HEAD_END:
            return False
        tail = self._head_end + data
        if _HEAD_END in tail:
            # If the head came in several parts, an earlier one may have mentioned chunks.
            self._declares_length = not self._head_end and _CHUNKED not in data.lower()
            self._head_end = _HEAD_END
            self._head_bytes += 1
            return False
        self._head_end = tail[-3:]
        self._head_bytes += len(data)
        return self._head_bytes > _MAX_HEAD_BYTES

    def _framing_bytes(self, content: StreamReader) -> int:
        """The bytes since the request began that are not its body: sizes, extensions and ends of chunks.

        aiohttp has parsed all its bytes whenever more are read, because it pauses reading before it pauses parsing.
        """
        return self._received_bytes - self._framing_base - content.total_bytes

    def _body_is_complete(self) -> None:
        self._reading = None
        if self._content is not None:
            self._crowd.move(self, State.ANSWERING)

    def _cut_off_body(self, content: StreamReader, reason: str) -> None:
        """Raises BodyCutOff in the code that reads this body, which answers with it."""
        self._ignores = True
        self._crowd.count(reason, self.address)
        kind, http_status, detail, remedy = _BODY_PROBLEMS[reason]
        content.set_exception(BodyCutOff(kind, detail, remedy=remedy, http_status=http_status, reason=reason))

    def _cut_off(self, reason: str, http_status: HTTPStatus) -> None:
        self._ignores = True
        self._crowd.count(reason, self.address)
        self._answer(http_status)

    def _cut_off_behind(self) -> None:
        """Answers the request under way, but none after it."""
        self._ignores = True
        self._crowd.count("pipelined", self.address)
        if self._handler is not None:
            self._handler.close()

    def _answer(self, http_status: HTTPStatus, headers: str = "") -> None:
        """Sends an answer without aiohttp, and closes."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        line = f"HTTP/1.1 {http_status.value} {http_status.phrase}\r\n{headers}"
        transport.write(f"{line}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        transport.close()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _ignore(self, count: int) -> None:
        self._ignored_bytes += count
        if self._ignored_bytes >= _IGNORED_AT_ONCE_BYTES:
            self._ignored_bytes = 0
            self._pause()
            asyncio.get_running_loop().call_later(_IGNORING_PAUSE_SECONDS, self._resume)


def connection_of(request: web.BaseRequest) -> Connection | None:
    """The connection of a request; None once it has gone."""
    transport = request.transport
    if transport is None:
        return None
    protocol = transport.get_protocol()
    return protocol if isinstance(protocol, Connection) else None

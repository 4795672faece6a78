"""Writes the answer to an accepted webhook to the connection, past aiohttp. This is the only place that does so.

The answer is always the same and empty. aiohttp composes its headers anew each time, which takes longer than checking
the password of a webhook; a receiver answers thousands a second.
"""

import time
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion11, web


class _WrittenAnswer(web.Response):
    """Tells aiohttp that the handler has already written its answer, and that the connection stays open."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Does nothing: the answer is written."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Does nothing: the answer is written."""

    @property
    def keep_alive(self) -> bool:
        """Always true: ReadyAnswer is used for no other connections."""
        return True


class ReadyAnswer:
    """The empty answer with this status, composed once a second.

    It serves only HTTP/1.1 connections that stay open. All others get an ordinary answer of aiohttp.
    """

    def __init__(self, http_status: int) -> None:
        self.http_status = http_status
        self._sent = _WrittenAnswer(status=http_status)
        self._second = 0
        self._wire = b""

    def answer(self, request: web.Request) -> web.Response:
        """The handler's result: the answer is already written, or aiohttp sends it."""
        transport = request.transport
        if transport is None or request.version != HttpVersion11 or not request.keep_alive:
            return web.Response(status=self.http_status)
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._wire = (
                f"HTTP/1.1 {self.http_status} {HTTPStatus(self.http_status).phrase}\r\n"
                f"Content-Length: 0\r\nDate: {formatdate(second, usegmt=True)}\r\n\r\n"
            ).encode()
        transport.write(self._wire)
        return self._sent

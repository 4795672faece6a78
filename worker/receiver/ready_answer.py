"""The answer to an accepted webhook, written past aiohttp: the one place where that is done.

It is always the same empty answer. aiohttp composes headers anew each time, which takes longer than all that the
authentication of a webhook with a password does; a receiver answers thousands a second.
"""

import time
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import HttpVersion11, web


class _Sent(web.Response):
    """Tells aiohttp that the handler has written its answer already and that the connection stays open."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to prepare."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""

    @property
    def keep_alive(self) -> bool:
        """Always: ReadyAnswer is used for no other connections."""
        return True


class ReadyAnswer:
    """The empty answer with this status, composed once a second.

    It is used only where nothing can differ: HTTP/1.1 on a connection that stays open. All others get an ordinary
    answer of aiohttp.
    """

    def __init__(self, http_status: int) -> None:
        self.http_status = http_status
        self._sent = _Sent(status=http_status)
        self._second = 0
        self._wire = b""

    def answer(self, request: web.Request) -> web.Response:
        """What the handler returns; the answer is on its way then, or aiohttp sends it."""
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

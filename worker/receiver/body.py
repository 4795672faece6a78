"""Reads the body of a request. Every limit is checked before bytes beyond it are kept."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from worker.connections.crowd import DETAILS
from worker.errors import BodyCutOff, TryAgainLater
from worker.providers.verdict import Refused
from worker.receiver.answers import refusal
from worker.receiver.content_coding import is_plain

# Checking a body up to this size takes less than a millisecond, so it is done on the event loop, and its bytes are not
# counted.
SMALL_BODY_BYTES = 64 * 1024

# How many bytes of bodies may arrive, or wait for their check, at a time. Their senders are not authenticated yet, so
# the memory that strangers can make this process hold needs a limit.
_LARGEST_BODIES_AT_ONCE = 32
_MAX_ARRIVING_BYTES = 48 * 1024 * 1024
# On top, for small bodies only: large ones cannot shut them out.
_RESERVED_BYTES = 8 * 1024 * 1024


class BodyReader:
    """Reads bodies within the receiver's limits.

    The server must run with `auto_decompress=False`: aiohttp would decompress without knowing our limit.
    """

    def __init__(self, *, max_body_bytes: int, timeout_seconds: float) -> None:
        self._max_body_bytes = max_body_bytes
        self._timeout_seconds = timeout_seconds
        self._max_arriving_bytes = min(
            _LARGEST_BODIES_AT_ONCE * max_body_bytes, max(_MAX_ARRIVING_BYTES, 4 * max_body_bytes)
        )
        self._arriving_bytes = 0
        self._slow: set[asyncio.Timeout] = set()
        self._stopping = False

    def small(self, request: web.Request) -> bytes | None:
        """The body if it is small, not compressed, and has arrived whole, as nearly all do; otherwise None."""
        content = request.content
        if not content.is_eof() or content.exception() is not None or content.total_bytes > SMALL_BODY_BYTES:
            return None
        coding = request.headers.get(hdrs.CONTENT_ENCODING)
        if (coding is not None and not is_plain(coding)) or content.total_bytes > self._max_body_bytes:
            return None
        return content.read_nowait()

    async def read(self, request: web.Request, *, max_bytes: int | None = None) -> bytes | Refused:
        """The body as it was sent, still in its content coding; or why it is refused.

        `max_bytes` is a lower limit than that of the settings. The body stops counting when this returns: enter
        `holding` at once. Raises TryAgainLater if the receiver stops meanwhile, or if too many bytes arrive at once.
        """
        most = self._max_body_bytes if max_bytes is None else min(max_bytes, self._max_body_bytes)
        if (request.content_length or 0) > most:
            return self._too_large(most)
        body = bytearray()
        timeout = asyncio.timeout(0 if self._stopping else self._timeout_seconds)
        self._slow.add(timeout)
        try:
            async with timeout:
                while chunk := await request.content.readany():
                    if len(body) + len(chunk) > most:
                        return self._too_large(most)
                    body += chunk
                    self._arriving_bytes += len(chunk)
                    reserved = _RESERVED_BYTES if len(body) <= SMALL_BODY_BYTES else 0
                    if self._arriving_bytes > self._max_arriving_bytes + reserved:
                        raise TryAgainLater(
                            f"more than {self._max_arriving_bytes} bytes of bodies arrive at once: find out who sends "
                            "them, or add receivers"
                        )
        except TimeoutError as error:
            if self._stopping:
                raise TryAgainLater("the receiver is stopping: the vendor must send the webhook again") from error
            return Refused(
                reason="slow_body",
                detail=f"the body was not complete after {self._timeout_seconds:g} s: check the network between the "
                "vendor and this receiver, or raise body_timeout_seconds",
                http_status=HTTPStatus.REQUEST_TIMEOUT,
            )
        except BodyCutOff as cut:
            return Refused(reason=cut.reason, detail=DETAILS[cut.reason], http_status=cut.http_status)
        except (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError) as error:
            return Refused(
                reason="broken_body",
                detail=f"the connection or the chunk coding broke off within the body ({type(error).__name__}): the "
                "vendor sends it again",
                http_status=HTTPStatus.BAD_REQUEST,
            )
        finally:
            self._slow.discard(timeout)
            self._arriving_bytes -= len(body)
        return bytes(body)

    @contextmanager
    def holding(self, body: bytes) -> Iterator[None]:
        """Inside the block, the body still counts as arriving, because it waits for its check."""
        self._arriving_bytes += len(body)
        try:
            yield
        finally:
            self._arriving_bytes -= len(body)

    def stop(self) -> None:
        """Ends all reading at once, because a server that is shutting down delivers no more bytes."""
        self._stopping = True
        for timeout in self._slow:
            timeout.reschedule(0)

    async def refuse_unseen(self, request: web.Request) -> web.Response | None:
        """Answers `Expect: 100-continue`: refuses a body that is declared too large before it is sent."""
        if (request.content_length or 0) > self._max_body_bytes:
            refused = self._too_large(self._max_body_bytes)
            return refusal(refused.http_status, refused.reason, remedy=refused.remedy, close=True)
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # These bytes do not belong to the answer that follows.
        request.writer.output_size = 0
        return None

    def _too_large(self, most: int) -> Refused:
        if most < self._max_body_bytes:
            return unproven_too_large(most)
        return Refused(
            reason="too_large",
            detail=f"the body is larger than {most} bytes: lower the vendor's batch size, or raise max_body_bytes",
            http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            remedy=f"Send smaller batches: a body may have {most} bytes.",
        )


def unproven_too_large(most: int) -> Refused:
    """The refusal of a body that is larger than what this provider reads of an unauthenticated webhook."""
    return Refused(
        reason="too_large",
        detail=f"the body is larger than {most} bytes, the limit for webhooks of this provider that are not "
        "authenticated yet; its vendor sends none that large",
        http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        remedy=f"Send smaller batches: a body for this URL may have {most} bytes.",
    )

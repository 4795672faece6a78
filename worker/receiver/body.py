"""Reading a request's body: every limit is checked before the bytes it forbids are held."""

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

# What a body up to this size costs is over before anybody else has waited a millisecond: it is judged where it was
# read, and its bytes are not counted.
SMALL_BODY_BYTES = 64 * 1024

# How much of bodies may be on its way in at a time, or wait to be judged. Nobody is known yet who sends them, so what
# strangers can make this process hold must have an end.
_LARGEST_BODIES_AT_ONCE = 32
_MAX_ARRIVING_BYTES = 48 * 1024 * 1024
# Beyond it, for small bodies alone: large ones cannot shut them out.
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
        """The body where it came whole with the head, small and plain, as nearly all do; else None."""
        content = request.content
        if not content.is_eof() or content.exception() is not None or content.total_bytes > SMALL_BODY_BYTES:
            return None
        coding = request.headers.get(hdrs.CONTENT_ENCODING)
        if (coding is not None and not is_plain(coding)) or content.total_bytes > self._max_body_bytes:
            return None
        return content.read_nowait()

    async def read(self, request: web.Request, *, max_bytes: int | None = None) -> bytes | Refused:
        """The body as it stands on the wire, still in its content coding; or why it is refused.

        `max_bytes` bounds it further than the settings do. Give it back by `holding` as soon as it is read. Raises
        TryAgainLater when the receiver stops meanwhile, or when too much is on its way in at once.
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
                            f"bodies of more than {self._max_arriving_bytes} bytes are on their way in at once: see "
                            "who sends them, or add receivers"
                        )
        except TimeoutError as error:
            if self._stopping:
                raise TryAgainLater("the receiver is stopping: the webhook has to be sent again") from error
            return Refused(
                reason="slow_body",
                detail=f"the body was not complete after {self._timeout_seconds:g} s: look at the network "
                "between the vendor and here, or raise body_timeout_seconds",
                http_status=HTTPStatus.REQUEST_TIMEOUT,
            )
        except BodyCutOff as cut:
            return Refused(reason=cut.reason, detail=DETAILS[cut.reason], http_status=cut.http_status)
        except (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError) as error:
            return Refused(
                reason="broken_body",
                detail=f"the connection or its chunk coding broke off within the body ({type(error).__name__}): "
                "the vendor will send it again",
                http_status=HTTPStatus.BAD_REQUEST,
            )
        finally:
            self._slow.discard(timeout)
            self._arriving_bytes -= len(body)
        return bytes(body)

    @contextmanager
    def holding(self, body: bytes) -> Iterator[None]:
        """Counts a body that was read among those on their way in, for as long as it waits to be judged."""
        self._arriving_bytes += len(body)
        try:
            yield
        finally:
            self._arriving_bytes -= len(body)

    def stop(self) -> None:
        """Ends all reading at once: a server that is being shut down gives no more bytes to anybody."""
        self._stopping = True
        for timeout in self._slow:
            timeout.reschedule(0)

    async def refuse_unseen(self, request: web.Request) -> web.Response | None:
        """An `Expect: 100-continue` is answered: a body that is declared too large need not be sent at all."""
        if (request.content_length or 0) > self._max_body_bytes:
            refused = self._too_large(self._max_body_bytes)
            return refusal(refused.http_status, refused.reason, remedy=refused.remedy, close=True)
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # Those bytes were no part of the answer that follows.
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
    """The refusal of a body that its provider reads before it is proved, and only up to so many bytes."""
    return Refused(
        reason="too_large",
        detail=f"the body is larger than {most} bytes, the most that is read of this provider's webhooks before they "
        "are proved; its vendor sends none that large",
        http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        remedy=f"Send smaller batches: a body for this URL may have {most} bytes.",
    )

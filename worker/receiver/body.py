"""Reading a request's body: every limit is checked before the bytes it forbids are held."""

import asyncio
from http import HTTPStatus

from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from worker.errors import TryAgainLater
from worker.providers.provider import Refused
from worker.receiver.answers import refusal
from worker.receiver.content_coding import decode_body, is_plain

# How many bodies of the largest size may be on their way in at a time. Nobody is known yet who sends them, so what
# strangers can make this process hold must have an end.
_LARGEST_BODIES_AT_ONCE = 32


class BodyReader:
    """Reads bodies within the receiver's limits.

    The server must run with `auto_decompress=False`: aiohttp would decompress without knowing our limit.
    """

    def __init__(self, *, max_body_bytes: int, max_decompressed_bytes: int, timeout_seconds: float) -> None:
        self._max_body_bytes = max_body_bytes
        self._max_decompressed_bytes = max_decompressed_bytes
        self._timeout_seconds = timeout_seconds
        self._max_arriving_bytes = _LARGEST_BODIES_AT_ONCE * max_body_bytes
        self._arriving_bytes = 0
        self._slow: set[asyncio.Timeout] = set()
        self._stopping = False

    async def read(self, request: web.Request) -> bytes | Refused:
        """The body as its sender signed it, content coding removed; or why it is refused.

        Vendors sign what they wrote, not what a proxy or their HTTP client compressed, so the decoded bytes
        are the ones that authentication needs. Raises TryAgainLater when the receiver stops meanwhile, or when
        too much is on its way in at once.
        """
        content = request.content
        if content.is_eof() and content.exception() is None:
            # The whole body came with the head, as nearly all do: nothing to wait for.
            raw = content.read_nowait()
            if len(raw) > self._max_body_bytes:
                return self._too_large()
        else:
            streamed = await self._read_stream(request)
            if isinstance(streamed, Refused):
                return streamed
            raw = streamed
        coding = request.headers.get(hdrs.CONTENT_ENCODING)
        if coding is None or is_plain(coding):
            return raw
        return await decode_body(raw, coding, max_decompressed_bytes=self._max_decompressed_bytes)

    def stop(self) -> None:
        """Ends all reading at once: a server that is being shut down gives no more bytes to anybody."""
        self._stopping = True
        for timeout in self._slow:
            timeout.reschedule(0)

    async def refuse_unseen(self, request: web.Request) -> web.Response | None:
        """An `Expect: 100-continue` is answered: a body that is declared too large need not be sent at all."""
        if (request.content_length or 0) > self._max_body_bytes:
            return refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large().reason, close=True)
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # Those bytes were no part of the answer that follows.
        request.writer.output_size = 0
        return None

    async def _read_stream(self, request: web.Request) -> bytes | Refused:
        if (request.content_length or 0) > self._max_body_bytes:
            return self._too_large()
        body = bytearray()
        timeout = asyncio.timeout(0 if self._stopping else self._timeout_seconds)
        self._slow.add(timeout)
        try:
            async with timeout:
                while chunk := await request.content.readany():
                    if len(body) + len(chunk) > self._max_body_bytes:
                        return self._too_large()
                    body += chunk
                    self._arriving_bytes += len(chunk)
                    if self._arriving_bytes > self._max_arriving_bytes:
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

    def _too_large(self) -> Refused:
        return Refused(
            reason="too_large",
            detail=f"the body is larger than {self._max_body_bytes} bytes: lower the vendor's batch size, or "
            "raise max_body_bytes",
            http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )

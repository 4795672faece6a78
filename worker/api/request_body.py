"""Reads the body of a question within its limits: a body that does not fit is refused before it takes memory."""

import asyncio
from http import HTTPStatus

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from worker.api.load import RequestLoad
from worker.errors import RequestRefused

READ_SECONDS = 30.0


async def read_body(request: web.Request, load: RequestLoad, *, most_bytes: int) -> bytearray:
    """The whole body, decompressed. Raises RequestRefused, Overloaded."""
    declared = request.content_length or 0
    if declared > most_bytes:
        raise _too_large(most_bytes)
    load.hold_body(declared)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            while chunk := await request.content.readany():
                if len(body) + len(chunk) > most_bytes:
                    raise _too_large(most_bytes)
                load.hold_body(len(body) + len(chunk))
                body += chunk
    except TimeoutError as error:
        raise RequestRefused(
            "slow-request",
            f"The body was not complete after {READ_SECONDS:g} s.",
            remedy="Check the network between the caller and this API, or ask in several requests.",
            http_status=HTTPStatus.REQUEST_TIMEOUT,
        ) from error
    except (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError) as error:
        raise RequestRefused(
            "unreadable-request",
            f"The body is incomplete, or not encoded as its headers say ({type(error).__name__}).",
            remedy="Send it whole, and either plain or compressed as Content-Encoding says.",
            http_status=HTTPStatus.BAD_REQUEST,
        ) from error
    return body


def _too_large(most_bytes: int) -> RequestRefused:
    return RequestRefused(
        "body-too-large",
        f"The body is larger than {most_bytes} bytes.",
        remedy="Ask in several requests.",
        http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )

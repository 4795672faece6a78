"""Reads the body of a question within its limits: a body that does not fit is refused before it takes memory."""

import asyncio
from http import HTTPStatus
from typing import TypeVar

import msgspec
from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from worker.api.load import RequestLoad
from worker.errors import RequestRefused

READ_SECONDS = 30.0

_Body = TypeVar("_Body")


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


def decode_body(
    body: bytearray, decoder: "msgspec.json.Decoder[_Body]", *, accepted_by: str, schema: str, example: str
) -> _Body:
    """The body as the decoder reads it.

    Raises RequestRefused, which names the route (`accepted_by`) and its schema in the API's description, or shows an
    example of what is JSON.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestRefused(
            "unreadable-request",
            f"The body is not what {accepted_by} accepts: {error}.",
            remedy=f"See {schema} in /v1/openapi.yaml.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestRefused(
            "unreadable-request",
            f"The body is not JSON: {error}.",
            remedy=f"Send a JSON object such as {example} in UTF-8.",
            http_status=HTTPStatus.BAD_REQUEST,
        ) from error


def _too_large(most_bytes: int) -> RequestRefused:
    return RequestRefused(
        "body-too-large",
        f"The body is larger than {most_bytes} bytes.",
        remedy="Ask in several requests.",
        http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )

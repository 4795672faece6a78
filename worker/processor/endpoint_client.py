"""Posts one signed message to an application (Standard Webhooks)."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from importlib.metadata import version
from types import TracebackType
from typing import Self

import aiohttp
from msgspec import Struct
from standardwebhooks import Webhook

from schemas.endpoint import Endpoint
from schemas.trace_context import TraceContext

TIMEOUT_SECONDS = 15.0
_MOST_ANSWER_BYTES = 64 * 1024  # read only so that the connection can be used again
_LONGEST_RETRY_AFTER = timedelta(hours=1)


class Answer(Struct, frozen=True, kw_only=True):
    """The result of an attempt."""

    failure: str = ""  # "" = the application has taken it
    gone: bool = False  # it asks us to send nothing again
    retry_after: timedelta | None = None


class EndpointClient:
    """Sends POST without redirects or cookies, with limits for sizes and times."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"user-agent": f"bouncekeeper/{version('bouncekeeper')}"},
            trust_env=True,  # many servers reach the internet only through a proxy
        )

    async def post(
        self, endpoint: Endpoint, message_id: str, body: bytes, *, trace: TraceContext | None = None
    ) -> Answer:
        """Whether the application has taken the message: any 2xx means yes. Raises nothing, whatever happens.

        With `trace` the application is told the trace, so that it can go on with it.
        """
        headers = signed_headers(endpoint, message_id, body, now=datetime.now(UTC))
        if trace is not None:
            headers.update(trace.headers)
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._session.post(
                    endpoint.url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                ) as response,
            ):
                answer = _answer(response)
                await _read_away(response)
                return answer
        except TimeoutError:
            return Answer(failure=f"no answer within {TIMEOUT_SECONDS:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(failure=f"{type(error).__name__}: {_without_url(str(error), endpoint)}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()


def signed_headers(endpoint: Endpoint, message_id: str, body: bytes, *, now: datetime) -> dict[str, str]:
    """The headers that prove that we sent the message, and by whose id the application recognises repeats."""
    text = body.decode()
    signatures = [Webhook(secret.reveal()).sign(message_id, now, text) for secret in endpoint.secrets]
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _answer(response: aiohttp.ClientResponse) -> Answer:
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer()
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return Answer(failure=f"it answered {status}, and redirects are not followed: name the URL itself")
    return Answer(
        failure=f"it answered {status}",
        gone=status == HTTPStatus.GONE,
        retry_after=_retry_after(response.headers.get("retry-after", "")),
    )


def _retry_after(text: str) -> timedelta | None:
    if not (text.isascii() and text.isdigit()):
        return None
    return min(timedelta(seconds=min(int(text[:9]), 10**6)), _LONGEST_RETRY_AFTER)


async def _read_away(response: aiohttp.ClientResponse) -> None:
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > _MOST_ANSWER_BYTES:
            response.close()
            return


def _without_url(text: str, endpoint: Endpoint) -> str:
    """The text without the URL, which may hold a token: failures are logged and shown."""
    return text.replace(endpoint.url, "its URL")[:300]

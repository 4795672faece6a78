"""The receiver's own requests: it fetches signing certificates and confirms subscriptions."""

import asyncio
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from worker.errors import TryAgainLater

MAX_ANSWER_BYTES = 16 * 1024
TIMEOUT_SECONDS = 5.0
AT_ONCE = 4


class Outbound:
    """Sends GET over https, without redirects, with limits for sizes and times.

    The URLs come from requests of strangers. The provider checks that they name a host of its vendor; a redirect
    would bypass this check. `connector` brings another resolver or trust store.
    """

    def __init__(self, connector: aiohttp.BaseConnector | None = None) -> None:
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,  # many receivers reach the internet only through a proxy
        )
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def get(self, url: str) -> bytes:
        """The body of the answer 200. Raises TryAgainLater, which says why, for any other."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), self._turns:
                return await self._get(url)
        except TimeoutError as error:
            raise TryAgainLater(f"no answer within {TIMEOUT_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TryAgainLater(f"{type(error).__name__}: {error}") from error

    async def _get(self, url: str) -> bytes:
        if URL(url).scheme != "https":
            raise TryAgainLater("the URL does not begin with https")
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status != HTTPStatus.OK:
                raise TryAgainLater(f"it answered {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise TryAgainLater(f"its answer is larger than {MAX_ANSWER_BYTES} bytes")
            return bytes(body)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

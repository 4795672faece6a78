"""`GET /v1/overview`: what happens now, made at most every few seconds however many boards ask."""

import asyncio
import time
from collections import OrderedDict
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from worker.api.asked_account import asked_account
from worker.api.parameters import known_query
from worker.api.request_edge import PRINCIPAL, REQUEST_LOAD
from worker.contacts.overview import overview
from worker.errors import StoreUnavailable
from worker.store.pool import Pool

_ANSWER_BYTES = 128 * 1024  # 300 sources and some dozens of names
_FRESH_SECONDS = 2.0
# So that however much happens, making overviews takes at most a tenth of a connection's time for each account.
_REST_FACTOR = 10
_AT_ONCE = 2
_MOST_ACCOUNTS = 200
_encoder = msgspec.json.Encoder()


class _Made:
    """The last answer about one account, or about all."""

    def __init__(self) -> None:
        self.one_at_a_time = asyncio.Lock()
        self.body = b""
        self.failure: StoreUnavailable | None = None
        self.fresh_until = 0.0

    def rest(self, *, since: float) -> None:
        """It stands for as long as its making allows; the beginning is in seconds of the monotonic clock."""
        ended = time.monotonic()
        self.fresh_until = ended + max(_FRESH_SECONDS, _REST_FACTOR * (ended - since))


class Overviews:
    """The overviews of this process: one answer for all who ask about the same within a few seconds."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._made: OrderedDict[str | None, _Made] = OrderedDict()
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    async def body(self, account: str | None) -> bytes:
        """The answer about an account, or about all. Raises StoreUnavailable."""
        made = self._made.setdefault(account, _Made())
        self._made.move_to_end(account)
        while len(self._made) > _MOST_ACCOUNTS:
            self._made.popitem(last=False)
        async with made.one_at_a_time:
            if time.monotonic() >= made.fresh_until:
                async with self._at_once:
                    await self._make(made, account)
            if made.failure is not None:
                raise made.failure
            return made.body

    async def _make(self, made: _Made, account: str | None) -> None:
        started = time.monotonic()
        try:
            made.body = _encoder.encode(await overview(self.pool, account, now=datetime.now(UTC)))
            made.failure = None
        except StoreUnavailable as error:
            made.failure = error
        made.rest(since=started)


OVERVIEWS: web.AppKey[Overviews] = web.AppKey("overviews")


async def read_overview(request: web.Request) -> web.Response:
    """Of the account that the query names, or else of the token's own, or of all."""
    query = known_query(request, {"account"})
    overviews = request.app[OVERVIEWS]
    account = request[PRINCIPAL].account
    if "account" in query or account is not None:
        account = await asked_account(request, overviews.pool, query.get("account"))
    await request[REQUEST_LOAD].hold_answer(_ANSWER_BYTES)
    return web.Response(body=await overviews.body(account), content_type="application/json")

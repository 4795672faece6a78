"""`GET /v1/overview`: what happens now, made at most every few seconds however many boards ask."""

import msgspec
from aiohttp import web

from worker.api.asked_account import asked_account
from worker.api.parameters import known_query
from worker.api.request_edge import PRINCIPAL, REQUEST_LOAD
from worker.api.shared_answers import SharedAnswers
from worker.contacts.overview import overview
from worker.store.pool import Pool

_ANSWER_BYTES = 128 * 1024  # 300 sources and some dozens of names
_FRESH_SECONDS = 2.0
_AT_ONCE = 2
_encoder = msgspec.json.Encoder()


class Overviews(SharedAnswers[str | None]):
    """Of accounts; that of None is about all of them."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(self._overview, at_once=_AT_ONCE, fresh_seconds=_FRESH_SECONDS)
        self.pool = pool

    async def _overview(self, account: str | None) -> bytes:
        return _encoder.encode(await overview(self.pool, account))


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

"""`GET /v1/summary`: what an account's daily summary tells, and what became of its mails."""

from datetime import UTC, date, datetime

import msgspec
from aiohttp import web

from worker.api.asked_account import asked_account
from worker.api.decisions import DESK
from worker.api.parameters import known_query
from worker.api.request_edge import REQUEST_LOAD
from worker.contacts.daily_summary import summary_view
from worker.errors import RequestRefused

_ANSWER_BYTES = 4 * 1024 * 1024  # 200 requests of each kind and state at most, from the rows to the answer
_DATE_CHARACTERS = 10
_encoder = msgspec.json.Encoder()


async def read_summary(request: web.Request) -> web.Response:
    """Of the day that the query names, or else of the next one as far as it is known."""
    query = known_query(request, {"account", "date"})
    local_date = _date(query.get("date"))
    pool = request.app[DESK].pool
    account = await asked_account(request, pool, query.get("account"))
    await request[REQUEST_LOAD].hold_answer(_ANSWER_BYTES)
    view = await summary_view(pool, account, local_date=local_date, now=datetime.now(UTC))
    return web.Response(body=_encoder.encode(view), content_type="application/json")


def _date(text: str | None) -> date | None:
    try:
        if text is None:
            return None
        if len(text) == _DATE_CHARACTERS:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise RequestRefused(
        "bad-parameter", f"{(text or '')[:40]!r} is no date.", remedy="Write date=2030-01-31, or leave it out."
    )

"""The routes of campaigns: what became of one, and its recipients."""

from http import HTTPStatus

import msgspec
from aiohttp import web

from schemas.campaign import CampaignValue
from worker.api.asked_account import asked_account
from worker.api.decisions import DESK
from worker.api.parameters import asked_names, known_query, known_word, number_in_range
from worker.api.request_edge import LINE, REQUEST_LOAD
from worker.contacts.campaigns import campaign_recipients, campaign_report
from worker.errors import RequestRefused

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
_FEW_BYTES = 16 * 1024
_RECIPIENT_BYTES = 3 * 1024  # from the row to the answer
_LARGEST_ID = 10**18 - 1

_encoder = msgspec.json.Encoder()


async def campaign(request: web.Request) -> web.Response:
    """`GET /v1/campaigns/{campaign}`."""
    query = known_query(request, {"account"})
    pool = request.app[DESK].pool
    account = await asked_account(request, pool, query.get("account"))
    await request[REQUEST_LOAD].hold_answer(_FEW_BYTES)
    answer = await campaign_report(pool, account, request.match_info["campaign"])
    if answer is None:
        raise _unknown_campaign(account)
    return web.Response(body=_encoder.encode(answer), content_type="application/json")


async def recipients(request: web.Request) -> web.Response:
    """`GET /v1/campaigns/{campaign}/recipients`."""
    query = known_query(request, {"account", "value", "after", "limit", "names"})
    pool = request.app[DESK].pool
    account = await asked_account(request, pool, query.get("account"))
    value = known_word(CampaignValue, "value", query.get("value", CampaignValue.SENT.value), "There is no value {}.")
    names = asked_names(request)
    limit = int(number_in_range(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT, whole=True))
    after = int(number_in_range(query, "after", 0, 0, _LARGEST_ID, whole=True))
    await request[REQUEST_LOAD].hold_answer(_FEW_BYTES + limit * _RECIPIENT_BYTES)
    answer = await campaign_recipients(
        pool,
        account,
        request.match_info["campaign"],
        value=value,
        after=after,
        limit=limit,
        names=names,
    )
    if answer is None:
        raise _unknown_campaign(account)
    request[LINE].update(recipients=len(answer.recipients))
    return web.Response(body=_encoder.encode(answer), content_type="application/json")


def _unknown_campaign(account: str) -> RequestRefused:
    return RequestRefused(
        "unknown-campaign",
        f"No event names this campaign in account {account!r}.",
        remedy="Check the spelling, and that the source names campaigns: campaign_from in docs/configuration.md.",
        http_status=HTTPStatus.NOT_FOUND,
    )

"""The routes of campaigns: what became of one, and its recipients."""

from http import HTTPStatus

import msgspec
from aiohttp import web

from schemas.campaign import CampaignValue
from worker.api.asked_account import asked_account
from worker.api.decisions import DESK
from worker.api.parameters import asked_names, known_query, known_word, number_in_range
from worker.api.request_edge import LINE, REQUEST_LOAD
from worker.api.shared_answers import SharedAnswers
from worker.contacts.campaigns import KnownCampaign, campaign_report, known_campaign, recipients_of
from worker.errors import RequestRefused
from worker.store.pool import Pool

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
_FEW_BYTES = 16 * 1024
_RECIPIENT_BYTES = 3 * 1024  # from the row to the answer
_AT_ONCE = 2
_LARGEST_ID = 10**18 - 1

_encoder = msgspec.json.Encoder()


class CampaignReports(SharedAnswers[KnownCampaign]):
    """To count a large campaign takes a third of a second: sixty readers at once would hold up every check."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(self._report, at_once=_AT_ONCE)
        self._pool = pool

    async def _report(self, known: KnownCampaign) -> bytes:
        return _encoder.encode(await campaign_report(self._pool, known))


CAMPAIGN_REPORTS: web.AppKey[CampaignReports] = web.AppKey("campaign_reports")


async def campaign(request: web.Request) -> web.Response:
    """`GET /v1/campaigns/{campaign}`."""
    query = known_query(request, {"account"})
    pool = request.app[DESK].pool
    account = await asked_account(request, pool, query.get("account"))
    await request[REQUEST_LOAD].hold_answer(_FEW_BYTES)
    known = await _asked_campaign(request, account)
    return web.Response(body=await request.app[CAMPAIGN_REPORTS].body(known), content_type="application/json")


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
    known = await _asked_campaign(request, account)
    answer = await recipients_of(pool, known, value=value, after=after, limit=limit, names=names)
    request[LINE].update(recipients=len(answer.recipients))
    return web.Response(body=_encoder.encode(answer), content_type="application/json")


async def _asked_campaign(request: web.Request, account: str) -> KnownCampaign:
    known = await known_campaign(request.app[DESK].pool, account, request.match_info["campaign"])
    if known is None:
        raise RequestRefused(
            "unknown-campaign",
            f"No event names this campaign in account {account!r}.",
            remedy="Check the spelling, and that the source names campaigns: campaign_from in docs/configuration.md.",
            http_status=HTTPStatus.NOT_FOUND,
        )
    return known

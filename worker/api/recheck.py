"""The route that checks an address again."""

import msgspec
from aiohttp import web

from schemas.safelist import Recheck
from worker.api.asked_account import asked_account
from worker.api.decisions import DESK
from worker.api.parameters import contact_query
from worker.api.request_body import decode_body, read_body
from worker.api.request_edge import LINE, PRINCIPAL, REQUEST_LOAD
from worker.contacts.recheck import RecheckQuestion, RecheckRules, recheck_contact
from worker.process.logs import contact_field

_FEW_BYTES = 64 * 1024
_REPORT_BYTES = 512 * 1024  # the contact's report is within
_decoder = msgspec.json.Decoder(Recheck)
_encoder = msgspec.json.Encoder()

RECHECK: web.AppKey[RecheckRules] = web.AppKey("recheck_rules")


async def check_again(request: web.Request) -> web.Response:
    """`POST /v1/contacts/{address}/recheck`."""
    query = contact_query(request)
    request[LINE].update(contact=contact_field(query.address))
    account = await asked_account(request, request.app[DESK].pool, request.query.get("account"))
    body = await read_body(request, request[REQUEST_LOAD], most_bytes=_FEW_BYTES)
    await request[REQUEST_LOAD].hold_answer(_REPORT_BYTES)
    asked = decode_body(body, _decoder, accepted_by="this route", schema="Recheck", example="{}")
    question = RecheckQuestion(
        address=query.address,
        account=account,
        channel=query.channel,
        principal=request[PRINCIPAL],
        what="call",
        dry_run=asked.dry_run,
    )
    desk = request.app[DESK]
    answer = await recheck_contact(desk.writer_pool, question, batch=desk.rules, rules=request.app[RECHECK])
    request[LINE].update(act_id=answer.act_id, made=int(answer.freed))
    return web.Response(body=_encoder.encode(answer), content_type="application/json")

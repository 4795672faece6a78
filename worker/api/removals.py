"""The route by which a contact loses tags and people."""

import msgspec
from aiohttp import web

from schemas.removal import Removal
from worker.api.asked_account import asked_account
from worker.api.decisions import DESK
from worker.api.parameters import contact_query
from worker.api.request_body import decode_body, read_body
from worker.api.request_edge import LINE, PRINCIPAL, REQUEST_LOAD
from worker.contacts.removals import RemovalQuestion, remove_belongings
from worker.process.logs import contact_field

_FEW_BYTES = 64 * 1024
_decoder = msgspec.json.Decoder(Removal)
_encoder = msgspec.json.Encoder()


async def remove_from_contact(request: web.Request) -> web.Response:
    """`POST /v1/contacts/{address}/removals`."""
    query = contact_query(request)
    request[LINE].update(contact=contact_field(query.address))
    desk = request.app[DESK]
    account = await asked_account(request, desk.pool, request.query.get("account"))
    body = await read_body(request, request[REQUEST_LOAD], most_bytes=_FEW_BYTES)
    await request[REQUEST_LOAD].hold_answer(_FEW_BYTES)
    removal = decode_body(
        body, _decoder, accepted_by="this route", schema="Removal", example='{"tags": ["shop"], "note": "sold"}'
    )
    question = RemovalQuestion(
        removal=removal,
        address=query.address,
        account=account,
        channel=query.channel,
        principal=request[PRINCIPAL],
        what="call",
    )
    answer = await remove_belongings(desk.writer_pool, question)
    request[LINE].update(act_id=answer.act_id, made=len(answer.tags) + len(answer.people))
    return web.Response(body=_encoder.encode(answer), content_type="application/json")

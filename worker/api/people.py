"""The routes by which contacts come in, and a person's addresses are asked for."""

from datetime import UTC, datetime
from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import UNSET

from schemas.addition import AdditionRequest
from schemas.decision import DecisionKind
from worker.api.asked_account import asked_account
from worker.api.check_question import most_body_bytes, too_many_addresses
from worker.api.decisions import DESK, idempotency_key
from worker.api.parameters import known_query
from worker.api.request_body import decode_body, read_body
from worker.api.request_edge import LINE, PRINCIPAL, REQUEST_LOAD
from worker.contacts.additions import AdditionTerms, add_contacts
from worker.contacts.people import find_person
from worker.errors import RequestRefused

# Measured: a contact with a tag and a person takes 2,500 bytes on its way from the body to the answer.
_BYTES_A_CONTACT = 3_000
_MOST_BYTES_A_CHARACTER = 4  # of a Python text
_BYTES_A_TEXT = 100  # around it
_PERSON_BYTES = 256 * 1024

_decoder = msgspec.json.Decoder(AdditionRequest)
_encoder = msgspec.json.Encoder()


async def add_many(request: web.Request) -> web.Response:
    """`POST /v1/contacts`."""
    load, desk = request[REQUEST_LOAD], request.app[DESK]
    body = await read_body(request, load, most_bytes=most_body_bytes(desk.most_addresses))
    contacts, texts = body.count(b"{"), body.count(b'"') // 2
    await load.hold_answer(contacts * _BYTES_A_CONTACT + texts * _BYTES_A_TEXT + len(body) * _MOST_BYTES_A_CHARACTER)
    asked = decode_body(
        body,
        _decoder,
        accepted_by="/v1/contacts",
        schema="AdditionRequest",
        example='{"contacts": [{"address": "jane@example.org", "tags": ["shop"]}]}',
    )
    if len(asked.contacts) > desk.most_addresses:
        raise too_many_addresses(str(len(asked.contacts)), desk.most_addresses)
    account = await asked_account(request, desk.pool, None if asked.account is UNSET else asked.account)
    principal = request[PRINCIPAL]
    terms = AdditionTerms(
        permission=asked.permission or desk.added_permission(principal.name),
        tags=asked.tags,
        note=asked.note,
        account=account,
        channel=asked.channel,
        principal=principal,
        what="call",
        idempotency_key=idempotency_key(request),
        dry_run=asked.dry_run,
    )
    answer = await add_contacts(desk.writer_pool, asked.contacts, terms, rules=desk.rules)
    request[LINE].update(
        kind=DecisionKind.ADDED.value,
        act_id=answer.act_id,
        made=answer.added,
        unchanged=answer.known,
        skipped=answer.skipped,
    )
    return web.Response(body=_encoder.encode(answer), content_type="application/json")


async def person(request: web.Request) -> web.Response:
    """`GET /v1/people/{person}`."""
    desk = request.app[DESK]
    query = known_query(request, {"account"})
    name = request.match_info["person"]
    account = await asked_account(request, desk.pool, query.get("account"))
    await request[REQUEST_LOAD].hold_answer(_PERSON_BYTES)
    found = await find_person(desk.pool, account, name, policies=desk.rules.policies, now=datetime.now(UTC))
    if found is None:
        raise RequestRefused(
            "unknown-person",
            f"There is no such person in account {account!r}.",
            remedy="Check the spelling; POST /v1/contacts tells whose address a contact is.",
            http_status=HTTPStatus.NOT_FOUND,
        )
    return web.Response(body=_encoder.encode(found), content_type="application/json")

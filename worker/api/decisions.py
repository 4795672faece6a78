"""The routes that decide: about the contact of the path, or about many at once."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct

from schemas.decision import Permission
from schemas.decision_request import (
    MOST_KEY_CHARACTERS,
    ContactDecisionRequest,
    DecisionRequest,
    DecisionTerms,
    RequestedKind,
)
from schemas.vocabulary import Channel
from worker.api.asked_account import asked_account
from worker.api.check_question import most_body_bytes, question_bytes, too_many_addresses
from worker.api.parameters import contact_query
from worker.api.request_body import decode_body, read_body
from worker.api.request_edge import LINE, PRINCIPAL, REQUEST_LOAD
from worker.contacts.batch_terms import BatchRules
from worker.contacts.decision_answer import DecisionAnswer
from worker.contacts.decisions import Question, decide_contacts
from worker.errors import RequestRefused
from worker.process.logs import contact_field
from worker.store.pool import Pool, WriterPool

_IDEMPOTENCY_KEY = "Idempotency-Key"
_FEW_BYTES = 64 * 1024
_OTHER_TEXTS = 64  # names of fields, and their values

_Body = TypeVar("_Body", ContactDecisionRequest, DecisionRequest)
_one = msgspec.json.Decoder(ContactDecisionRequest)
_many = msgspec.json.Decoder(DecisionRequest)
_encoder = msgspec.json.Encoder()


class DecisionDesk(Struct, frozen=True, kw_only=True):
    """What the routes need."""

    pool: Pool
    writer_pool: WriterPool
    rules: BatchRules
    most_addresses: int
    added_permission: Callable[[str], Permission]  # of contacts that a token adds without saying so, by its name


DESK: web.AppKey[DecisionDesk] = web.AppKey("decision_desk")


async def decide_about_one(request: web.Request) -> web.Response:
    """`POST /v1/contacts/{address}/decisions`."""
    query = contact_query(request)
    request[LINE].update(contact=contact_field(query.address))
    account = await asked_account(request, request.app[DESK].pool, request.query.get("account"))
    body = await read_body(request, request[REQUEST_LOAD], most_bytes=_FEW_BYTES)
    await request[REQUEST_LOAD].hold_answer(_FEW_BYTES)
    terms = _decoded(body, _one, "ContactDecisionRequest")
    return await _decide(request, terms, [query.address], account=account, channel=query.channel)


async def decide_about_many(request: web.Request) -> web.Response:
    """`POST /v1/decisions`."""
    load, most = request[REQUEST_LOAD], request.app[DESK].most_addresses
    body = await read_body(request, load, most_bytes=most_body_bytes(most))
    await load.hold_answer(question_bytes(body, most_addresses=most, other_texts=_OTHER_TEXTS))
    terms = _decoded(body, _many, "DecisionRequest")
    if len(terms.addresses) > most:
        raise too_many_addresses(str(len(terms.addresses)), most)
    named = None if terms.account is UNSET else terms.account
    account = await asked_account(request, request.app[DESK].pool, named)
    return await _decide(request, terms, terms.addresses, account=account, channel=terms.channel)


async def _decide(
    request: web.Request, body: ContactDecisionRequest, addresses: list[str], *, account: str, channel: Channel
) -> web.Response:
    desk = request.app[DESK]
    asked = {field.name: getattr(body, field.name) for field in msgspec.structs.fields(DecisionTerms)}
    if body.kind is RequestedKind.ADDED and body.permission is None:
        asked["permission"] = desk.added_permission(request[PRINCIPAL].name)
    question = Question(
        terms=DecisionTerms(**asked),
        addresses=addresses,
        account=account,
        channel=channel,
        principal=request[PRINCIPAL],
        what="call",
        idempotency_key=idempotency_key(request),
        dry_run=body.dry_run,
    )
    answer: DecisionAnswer = await decide_contacts(desk.writer_pool, question, rules=desk.rules)
    request[LINE].update(
        kind=answer.kind.value,
        act_id=answer.act_id,
        made=answer.made,
        unchanged=answer.unchanged,
        skipped=answer.skipped,
    )
    return web.Response(body=_encoder.encode(answer), content_type="application/json")


def idempotency_key(request: web.Request) -> str | None:
    """The request's key, or None. Raises RequestRefused if it cannot be one."""
    key = request.headers.get(_IDEMPOTENCY_KEY)
    if key is None or (0 < len(key) <= MOST_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        return key
    raise RequestRefused(
        "bad-parameter",
        f"The {_IDEMPOTENCY_KEY} is empty, longer than {MOST_KEY_CHARACTERS} characters, or not printable ASCII.",
        remedy="Send a UUID, for example.",
    )


def _decoded(body: bytearray, decoder: "msgspec.json.Decoder[_Body]", schema: str) -> _Body:
    example = '{"kind": "lifted", "note": "she called"}'
    return decode_body(body, decoder, accepted_by="this route", schema=schema, example=example)

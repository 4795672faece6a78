"""The routes of safelist requests: asking for a contact, or for many; the list; and a person's decision."""

from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct

from schemas.safelist import Approval, ContactSafelistRequest, Decline, DeclineReason, RequestState, SafelistRequests
from schemas.vocabulary import Channel
from worker.api.asked_account import asked_account
from worker.api.check_question import most_body_bytes, question_bytes, too_many_addresses
from worker.api.decisions import DESK, idempotency_key
from worker.api.parameters import contact_query, known_query, known_word, number_in_range
from worker.api.request_body import decode_body, read_body
from worker.api.request_edge import LINE, PRINCIPAL, REQUEST_LOAD
from worker.contacts.safelist_account import AccountReputations
from worker.contacts.safelist_facts import SafelistQuestion
from worker.contacts.safelist_requests import request_contacts
from worker.contacts.safelist_review import Review, review_request
from worker.contacts.safelist_view import RequestView, request_view
from worker.errors import RequestRefused
from worker.policy.safelist import SafelistRules
from worker.process.logs import contact_field
from worker.store.safelist_requests import list_requests

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
_FEW_BYTES = 64 * 1024
_REQUEST_BYTES = 8 * 1024  # of the list, from the row to the answer
_OTHER_TEXTS = 64  # names of fields, and their values
_LARGEST_ID = 10**18 - 1

_Body = TypeVar("_Body")
_one = msgspec.json.Decoder(ContactSafelistRequest)
_many = msgspec.json.Decoder(SafelistRequests)
_approval = msgspec.json.Decoder(Approval)
_decline = msgspec.json.Decoder(Decline)
_encoder = msgspec.json.Encoder()


class SafelistDesk(Struct, frozen=True, kw_only=True):
    """What the routes need beside that of the decisions."""

    rules: SafelistRules
    reputations: AccountReputations


SAFELIST: web.AppKey[SafelistDesk] = web.AppKey("safelist_desk")


class RequestsPage(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/safelist-requests`."""

    requests: list[RequestView]  # oldest first
    next: int | None  # the `after` of the next page; None: this is the last one


async def ask_for_one(request: web.Request) -> web.Response:
    """`POST /v1/contacts/{address}/safelist-requests`."""
    query = contact_query(request)
    request[LINE].update(contact=contact_field(query.address))
    account = await asked_account(request, request.app[DESK].pool, request.query.get("account"))
    asked = await _few(request, _one, "ContactSafelistRequest", '{"note": "she wants her receipts"}')
    return await _ask(request, asked, [query.address], account=account, channel=query.channel)


async def ask_for_many(request: web.Request) -> web.Response:
    """`POST /v1/safelist-requests`."""
    load, most = request[REQUEST_LOAD], request.app[DESK].most_addresses
    known_query(request, set())
    body = await read_body(request, load, most_bytes=most_body_bytes(most))
    await load.hold_answer(question_bytes(body, most_addresses=most, other_texts=_OTHER_TEXTS))
    example = '{"note": "a full server, mended now", "addresses": ["jane@example.org"]}'
    asked = decode_body(body, _many, accepted_by="this route", schema="SafelistRequests", example=example)
    if len(asked.addresses) > most:
        raise too_many_addresses(str(len(asked.addresses)), most)
    named = None if asked.account is UNSET else asked.account
    account = await asked_account(request, request.app[DESK].pool, named)
    return await _ask(request, asked, asked.addresses, account=account, channel=asked.channel)


async def list_safelist_requests(request: web.Request) -> web.Response:
    """`GET /v1/safelist-requests`."""
    query = known_query(request, {"account", "status", "after", "limit"})
    account = await asked_account(request, request.app[DESK].pool, query.get("account"))
    state = query.get("status")
    if state is not None:
        state = known_word(RequestState, "status", state, "There is no status {} of a request.")
    limit = int(number_in_range(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT, whole=True))
    after = int(number_in_range(query, "after", 0, 0, _LARGEST_ID, whole=True))
    await request[REQUEST_LOAD].hold_answer((limit + 1) * _REQUEST_BYTES)
    rows = await list_requests(request.app[DESK].pool, account=account, state=state, after=after, limit=limit + 1)
    page = RequestsPage(
        requests=[request_view(row) for row in rows[:limit]], next=rows[limit - 1].id if len(rows) > limit else None
    )
    return _json(page)


async def approve(request: web.Request) -> web.Response:
    """`POST /v1/safelist-requests/{id}/approve`."""
    account = await _account_of_query(request)
    body = await _few(request, _approval, "Approval", '{"note": "heard the call"}')
    return await _review(request, account, note=body.note, dry_run=body.dry_run)


async def decline(request: web.Request) -> web.Response:
    """`POST /v1/safelist-requests/{id}/decline`."""
    account = await _account_of_query(request)
    body = await _few(request, _decline, "Decline", '{"reason": "previous_failures"}')
    return await _review(request, account, note=body.note, dry_run=body.dry_run, reason=body.reason)


async def _ask(
    request: web.Request, asked: ContactSafelistRequest, addresses: list[str], *, account: str, channel: Channel
) -> web.Response:
    desk, safelist = request.app[DESK], request.app[SAFELIST]
    question = SafelistQuestion(
        kind=asked.kind,
        note=asked.note,
        wish=asked.wish,
        addresses=addresses,
        account=account,
        channel=channel,
        principal=request[PRINCIPAL],
        what="call",
        account_facts=await safelist.reputations.facts(desk.pool, account, now=datetime.now(UTC)),
        idempotency_key=idempotency_key(request),
        dry_run=asked.dry_run,
    )
    answer = await request_contacts(desk.writer_pool, question, batch=desk.rules, rules=safelist.rules)
    request[LINE].update(
        kind=answer.kind.value,
        act_id=answer.act_id,
        made=answer.approved + answer.declined + answer.requested,
        skipped=answer.refused,
    )
    return _json(answer)


async def _account_of_query(request: web.Request) -> str:
    query = known_query(request, {"account"})
    return await asked_account(request, request.app[DESK].pool, query.get("account"))


async def _review(
    request: web.Request, account: str, *, note: str | None, dry_run: bool, reason: DeclineReason | None = None
) -> web.Response:
    desk = request.app[DESK]
    review = Review(
        request_id=_id(request),
        account=account,
        principal=request[PRINCIPAL],
        what="call",
        decline=reason,
        note=note,
        dry_run=dry_run,
    )
    answer = await review_request(desk.writer_pool, review, batch=desk.rules)
    request[LINE].update(kind=answer.request.kind.value, act_id=answer.request.act_id)
    return _json(answer)


async def _few(request: web.Request, decoder: "msgspec.json.Decoder[_Body]", schema: str, example: str) -> _Body:
    body = await read_body(request, request[REQUEST_LOAD], most_bytes=_FEW_BYTES)
    await request[REQUEST_LOAD].hold_answer(_FEW_BYTES)
    return decode_body(body, decoder, accepted_by="this route", schema=schema, example=example)


def _id(request: web.Request) -> int:
    text = request.match_info["id"]
    if text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_ID)):
        return int(text)
    raise RequestRefused(
        "bad-parameter", f"{text[:40]!r} is not the id of a request.", remedy="Send the `id` that the list shows."
    )


def _json(answer: Struct) -> web.Response:
    return web.Response(body=_encoder.encode(answer), content_type="application/json")

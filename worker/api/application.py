"""The API as an aiohttp application: its routes, who may use them, and one log line for each answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from worker import metrics
from worker.api.accounts import KnownAccounts
from worker.api.authentication import BearerTokens
from worker.api.check import CheckRequest, check_addresses
from worker.api.contacts import contact_report
from worker.api.explanations import contact_explanation
from worker.api.parameters import asked_contact, checked_account, known_query, number_in_range, unknown_contact
from worker.api.problems import (
    PROBLEM_KIND,
    defect_response,
    framework_response,
    refused_response,
    unavailable_response,
)
from worker.api.status_changes import DEFAULT_LIMIT, MAX_LIMIT, MAX_WAIT_SECONDS, read_changes
from worker.errors import RequestRefused, SchemaOutOfDate, StopTheProcess, TryAgainLater
from worker.listening import hide_versions
from worker.logs import contact_field, get_logger
from worker.policy.rule import Policy
from worker.probes import PROBE_ROUTES, add_probes
from worker.settings_tree import ApiSettings
from worker.store.pool import Pool
from worker.store.readiness import missing_in_database
from worker.store.status_feed import BEGINNING

log = get_logger()

_POOL: web.AppKey[Pool] = web.AppKey("pool")
_POLICY: web.AppKey[Policy] = web.AppKey("policy")
_SETTINGS: web.AppKey[ApiSettings] = web.AppKey("settings")
_ACCOUNTS: web.AppKey[KnownAccounts] = web.AppKey("accounts")
_TOKENS: web.AppKey[BearerTokens] = web.AppKey("tokens")
_STOPPING: web.AppKey[asyncio.Event] = web.AppKey("stopping")
# Set when a table was missing: whoever restores a backup has made the tables before he fills them, and of an empty
# one everybody would be allowed.
_DOUBTED: web.AppKey[asyncio.Event] = web.AppKey("doubted")

_LINE: web.RequestKey[dict[str, Any]] = web.RequestKey(
    "line"
)  # where a handler leaves what it wants to have in the request's log line
_JSON = "application/json"
# What probes and dashboards ask every few seconds is logged only when it goes wrong.
_QUIET_ROUTES = PROBE_ROUTES
_PUBLIC_ROUTES = PROBE_ROUTES | {"/v1/openapi.yaml"}
_UNKNOWN_ROUTE = "unknown"
_BYTES_PER_ADDRESS = 800  # the longest address, every second character escaped

_check_decoder = msgspec.json.Decoder(CheckRequest)
_encoder = msgspec.json.Encoder()


def build_api(
    *, pool: Pool, policy: Policy, settings: ApiSettings, source_accounts: Collection[str]
) -> web.Application:
    """The application, to be served on the event loop that runs now; the pool stays its caller's to close.

    `source_accounts` are those that the configured sources name.
    """
    app = web.Application(
        middlewares=[_answer],
        client_max_size=64 * 1024 + settings.check_max_addresses * _BYTES_PER_ADDRESS,
        handler_args={"access_log": None},
    )
    app[_POOL] = pool
    app[_POLICY] = policy
    app[_SETTINGS] = settings
    app[_ACCOUNTS] = KnownAccounts(of_sources=source_accounts, of_settings=settings.accounts)
    app[_TOKENS] = BearerTokens(settings.tokens)
    app[_STOPPING] = asyncio.Event()
    app[_DOUBTED] = asyncio.Event()
    app.router.add_post("/v1/check", _check)
    app.router.add_get("/v1/contacts/{address}", _contact)
    app.router.add_get("/v1/contacts/{address}/explanation", _explanation)
    app.router.add_get("/v1/status-changes", _status_changes)
    app.router.add_get("/v1/openapi.yaml", _openapi)
    add_probes(app, partial(_missing, app))
    app.on_response_prepare.append(hide_versions)
    app.on_shutdown.append(_stop_waiting)
    return app


async def _stop_waiting(app: web.Application) -> None:
    app[_STOPPING].set()


@web.middleware
async def _answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every request gets an answer, a log line and a metric, whatever happens."""
    started = time.perf_counter()
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else _UNKNOWN_ROUTE
    request[_LINE] = {}
    response = await _respond(request, handler, route)
    seconds = time.perf_counter() - started
    metrics.API_SECONDS.labels(route, str(response.status)).observe(seconds)
    if route not in _QUIET_ROUTES or response.status >= HTTPStatus.BAD_REQUEST:
        problem = {"problem": response[PROBLEM_KIND]} if PROBLEM_KIND in response else {}
        log.info(
            "api.answered",
            method=request.method,
            route=route,
            http_status=response.status,
            seconds=round(seconds, 6),
            **problem,
            **request[_LINE],
        )
    return response


async def _respond(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], route: str
) -> web.StreamResponse:
    if route not in _PUBLIC_ROUTES and (refusal := request.app[_TOKENS].refusal(request)) is not None:
        return refusal
    try:
        if request.app[_DOUBTED].is_set() and route not in _PUBLIC_ROUTES:
            await _require_whole_schema(request.app)
        return await handler(request)
    except RequestRefused as refused:
        return refused_response(refused)
    except (TryAgainLater, StopTheProcess) as error:
        if isinstance(error, SchemaOutOfDate):
            request.app[_DOUBTED].set()
        return unavailable_response(str(error))
    except web.HTTPException as error:
        return framework_response(error)
    except Exception:
        # The edge of the process: the asker must not take silence for leave, and the next request is served.
        log.exception("api.failed", method=request.method, route=route)
        return defect_response()


async def _check(request: web.Request) -> web.Response:
    body = await request.read()
    try:
        asked = _check_decoder.decode(body)
    except msgspec.ValidationError as error:
        raise RequestRefused(
            "unreadable-request",
            f"The body is not what /v1/check takes: {error}.",
            remedy="See CheckRequest in /v1/openapi.yaml.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestRefused(
            "unreadable-request",
            f"The body is no JSON: {error}.",
            remedy='Send a JSON object such as {"addresses": ["jane@example.org"]} in UTF-8.',
            http_status=HTTPStatus.BAD_REQUEST,
        ) from error
    limit = request.app[_SETTINGS].check_max_addresses
    if len(asked.addresses) > limit:
        raise RequestRefused(
            "too-many-addresses",
            f"The request holds {len(asked.addresses)} addresses, {limit} are answered at once.",
            remedy=f"Ask in several requests of up to {limit} addresses.",
            http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    account = checked_account(asked.account)
    await request.app[_ACCOUNTS].require(request.app[_POOL], account)
    answer = await check_addresses(
        request.app[_POOL],
        asked.addresses,
        mail_class=asked.mail_class,
        policy=request.app[_POLICY],
        now=datetime.now(UTC),
        account=account,
        channel=asked.channel,
    )
    metrics.CHECKED_ADDRESSES.labels("allowed").inc(answer.allowed)
    metrics.CHECKED_ADDRESSES.labels("forbidden").inc(answer.forbidden)
    request[_LINE].update(
        account=account,
        mail_class=asked.mail_class.value,
        allowed=answer.allowed,
        forbidden=answer.forbidden,
    )
    return _json(answer)


async def _contact(request: web.Request) -> web.Response:
    return await _tell(request, contact_report)


async def _explanation(request: web.Request) -> web.Response:
    return await _tell(request, contact_explanation)


async def _tell(request: web.Request, about: Callable[..., Awaitable[Struct | None]]) -> web.Response:
    asked = asked_contact(request)
    request[_LINE].update(account=asked.account, contact=contact_field(asked.address))
    await request.app[_ACCOUNTS].require(request.app[_POOL], asked.account)
    answer = await about(
        request.app[_POOL],
        asked.address,
        policy=request.app[_POLICY],
        now=datetime.now(UTC),
        account=asked.account,
        channel=asked.channel,
    )
    if answer is None:
        raise unknown_contact(asked.account)
    return _json(answer)


async def _status_changes(request: web.Request) -> web.Response:
    query = known_query(request, {"after", "limit", "wait_seconds"})
    answer = await read_changes(
        request.app[_POOL],
        after=query.get("after", BEGINNING),
        limit=int(number_in_range(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT, whole=True)),
        wait_seconds=number_in_range(query, "wait_seconds", 0, 0, MAX_WAIT_SECONDS),
        stopping=request.app[_STOPPING],
    )
    request[_LINE].update(changes=len(answer.changes))
    return _json(answer)


async def _openapi(_request: web.Request) -> web.Response:
    document = (files("schemas") / "openapi.yaml").read_bytes()
    return web.Response(body=document, content_type="application/yaml")


async def _missing(app: web.Application) -> list[str]:
    missing: list[str] = []
    if app[_STOPPING].is_set():
        missing.append("this API is stopping: ask another one")
    if not app[_TOKENS]:
        missing.append("no token is configured, so that nobody may ask: set api.tokens")
    return [*missing, *await missing_in_database(app[_POOL])]


async def _require_whole_schema(app: web.Application) -> None:
    if missing := await missing_in_database(app[_POOL]):
        raise SchemaOutOfDate("; ".join(missing))
    app[_DOUBTED].clear()


def _json(answer: Struct) -> web.Response:
    return web.Response(body=_encoder.encode(answer), content_type=_JSON)

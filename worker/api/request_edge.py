"""Shared by all requests: the token and its role, one answer, a log line and a metric."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from schemas.decision import Role
from worker.api.authentication import Authentication
from worker.api.load import Load, RequestLoad
from worker.api.problems import (
    PROBLEM_KIND,
    defect_response,
    forbidden_response,
    framework_response,
    overloaded_response,
    refused_response,
    unavailable_response,
)
from worker.api.request_trace import begin_span, end_span
from worker.api.route import AccountScope, Route
from worker.api.schema_doubt import SchemaDoubt
from worker.connections.connection import connection_of
from worker.contacts.principal import Principal
from worker.errors import Overloaded, RequestRefused, SchemaOutOfDate, StopTheProcess, TryAgainLater
from worker.process import metrics
from worker.process.logs import get_logger
from worker.process.probes import PROBE_ROUTES

log = get_logger()

AUTHENTICATION: web.AppKey[Authentication] = web.AppKey("authentication")
ROUTES: web.AppKey[Mapping[tuple[str, str], Route]] = web.AppKey("routes")
LOAD: web.AppKey[Load] = web.AppKey("load")
SCHEMA_DOUBT: web.AppKey[SchemaDoubt] = web.AppKey("schema_doubt")

# Fields that a handler adds to the request's log line.
LINE: web.RequestKey[dict[str, Any]] = web.RequestKey("line")
# Who asks; of public routes nobody.
PRINCIPAL: web.RequestKey[Principal] = web.RequestKey("principal")
# The account that the answer is about, once it is sure that the caller may know of it (worker.api.asked_account).
ASKED_ACCOUNT: web.RequestKey[str] = web.RequestKey("asked_account")
# The memory that the request holds.
REQUEST_LOAD: web.RequestKey[RequestLoad] = web.RequestKey("load")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Probes and dashboards ask every few seconds: only their failures are logged.
_QUIET_ROUTES = PROBE_ROUTES
_UNKNOWN_ROUTE = "unknown"
# Refusals may come by the thousand. They are logged elsewhere, once a minute.
_LOGGED_ELSEWHERE = frozenset({"unauthorized", "too-many-wrong-tokens", "too-busy"})
SEND_SECONDS = 60.0


@web.middleware
async def answer_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every request gets an answer, a log line and a metric, whatever happens."""
    started = time.perf_counter()
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else _UNKNOWN_ROUTE
    request[LINE] = {}
    with RequestLoad(request.app[LOAD], request) as load:
        request[REQUEST_LOAD] = load
        response = await _respond(request, handler, route, started)
        end_span(request, response)
        _record(request, response, route, time.perf_counter() - started)
        if load.holds_answer:
            await _send(request, response)
    return response


def _record(request: web.Request, response: web.StreamResponse, route: str, seconds: float) -> None:
    metrics.API_SECONDS.labels(route, str(response.status)).observe(seconds)
    problem = response.get(PROBLEM_KIND)
    if problem in _LOGGED_ELSEWHERE or (route in _QUIET_ROUTES and response.status < HTTPStatus.BAD_REQUEST):
        return
    log.info(
        "api.answered",
        method=request.method,
        route=route,
        http_status=response.status,
        seconds=round(seconds, 6),
        **({} if problem is None else {"problem": problem}),
        **request[LINE],
    )


async def _send(request: web.Request, response: web.StreamResponse) -> None:
    """Sends the answer while its memory still counts. A caller who does not read it is cut off."""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass  # the caller has disconnected
    if isinstance(response, web.Response):
        response.body = None  # aiohttp keeps the last answer of a connection until the next one


async def _respond(request: web.Request, handler: Handler, route: str, started: float) -> web.StreamResponse:
    try:
        if (refusal := await _refusal(request, route)) is not None:
            return refusal
        # Only now, so that nobody without a token can make us trace anything.
        if PRINCIPAL in request and (trace_id := begin_span(request, route, started)) is not None:
            request[LINE].update(trace_id=trace_id)
        return _guarded(request, route, await handler(request))
    except RequestRefused as refused:
        return refused_response(refused)
    except (TryAgainLater, StopTheProcess) as error:
        if isinstance(error, SchemaOutOfDate):
            request.app[SCHEMA_DOUBT].arise()
        return overloaded_response(str(error)) if isinstance(error, Overloaded) else unavailable_response(str(error))
    except web.HTTPException as error:
        return framework_response(error)
    except Exception:
        # The edge of the process: the caller must not take silence as permission, and the next request is served.
        log.exception("api.failed", method=request.method, route=route)
        return defect_response()


async def _refusal(request: web.Request, route: str) -> web.Response | None:
    """None if the caller may ask this route. Raises StoreUnavailable, SchemaOutOfDate."""
    needed = _needed_role(request, route)
    if needed is None:
        return None
    principal = await request.app[AUTHENTICATION].principal(request)
    if isinstance(principal, web.Response):
        return principal
    request[PRINCIPAL] = principal
    request[LINE].update(token=principal.name)
    if (connection := connection_of(request)) is not None:
        connection.vouch_for()
    if not principal.may_act_as(needed):
        return forbidden_response(principal.role, needed)
    await request.app[SCHEMA_DOUBT].settle()
    return None


def _guarded(request: web.Request, route: str, response: web.StreamResponse) -> web.StreamResponse:
    """The answer. Raises an error if the route has not checked that the caller may know of its account."""
    declared = _declared(request, route)
    if declared is not None and _is_about_one(declared, request) and ASKED_ACCOUNT not in request:
        raise AssertionError(f"{route} has not asked whether its caller may know of the account")
    return response


def _is_about_one(route: Route, request: web.Request) -> bool:
    """True if the answer must be about one account that the caller may know of."""
    if route.account is AccountScope.NAMED_OR_OWN:
        return "account" in request.query or request[PRINCIPAL].account is not None
    return route.account is AccountScope.NAMED


def _needed_role(request: web.Request, route: str) -> Role | None:
    """The least role that may ask; None if nobody needs a token."""
    if route in PROBE_ROUTES:
        return None
    if (declared := _declared(request, route)) is not None:
        return declared.role
    return Role.READER if route == _UNKNOWN_ROUTE else Role.ADMINISTRATOR


def _declared(request: web.Request, route: str) -> Route | None:
    method = hdrs.METH_GET if request.method == hdrs.METH_HEAD else request.method
    return request.app[ROUTES].get((method, route))

"""Shared by all requests: the token, one answer, a log line and a metric."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from worker.api.authentication import Authentication
from worker.api.load import Load, RequestLoad
from worker.api.problems import (
    PROBLEM_KIND,
    defect_response,
    framework_response,
    overloaded_response,
    refused_response,
    unavailable_response,
)
from worker.api.schema_doubt import SchemaDoubt
from worker.connections.connection import connection_of
from worker.errors import Overloaded, RequestRefused, SchemaOutOfDate, StopTheProcess, TryAgainLater
from worker.process import metrics
from worker.process.logs import get_logger
from worker.process.probes import PROBE_ROUTES

log = get_logger()

AUTHENTICATION: web.AppKey[Authentication] = web.AppKey("authentication")
LOAD: web.AppKey[Load] = web.AppKey("load")
SCHEMA_DOUBT: web.AppKey[SchemaDoubt] = web.AppKey("schema_doubt")

# Fields that a handler adds to the request's log line.
LINE: web.RequestKey[dict[str, Any]] = web.RequestKey("line")
# The memory that the request holds.
REQUEST_LOAD: web.RequestKey[RequestLoad] = web.RequestKey("load")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Probes and dashboards ask every few seconds: only their failures are logged.
_QUIET_ROUTES = PROBE_ROUTES
_PUBLIC_ROUTES = PROBE_ROUTES | {"/v1/openapi.yaml"}
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
        response = await _respond(request, handler, route)
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


async def _respond(request: web.Request, handler: Handler, route: str) -> web.StreamResponse:
    if route not in _PUBLIC_ROUTES and (refusal := request.app[AUTHENTICATION].refusal(request)) is not None:
        return refusal
    try:
        if route not in _PUBLIC_ROUTES:
            if (connection := connection_of(request)) is not None:
                connection.vouch_for()
            await request.app[SCHEMA_DOUBT].settle()
        return await handler(request)
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

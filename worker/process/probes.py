"""The probes of every process: whether it lives, whether it is ready, and its metrics."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from worker.process.deadline import answer_within

PROBE_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
_ANSWER_SECONDS = 4.0  # who asks a probe waits five

# What the process lacks for its work, each with the remedy; [] if it is ready.
Missing = Callable[[], Coroutine[Any, Any, list[str]]]
# What the process can do without for a while; [] if nothing is missing.
Degraded = Callable[[], list[str]]


def add_probes(app: web.Application, missing: Missing, degraded: Degraded = list) -> None:
    """Answers GET on PROBE_ROUTES.

    /healthz answers 200 as long as the process answers at all. /readyz answers 200, or 503 with what is missing; it
    also lists `degraded`, if there is anything. It answers in time, whatever hangs. /metrics gives every metric of
    this process in Prometheus' text format.
    """

    async def readyz(_request: web.Request) -> web.Response:
        try:
            problems = await answer_within(_ANSWER_SECONDS, missing())
        except TimeoutError:
            problems = [f"what this works with did not answer within {_ANSWER_SECONDS:g} s: see what hangs"]
        http_status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
        extra = {"degraded": lacking} if (lacking := degraded()) else {}
        return _state(http_status, ready=not problems, missing=problems, **extra)

    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", _metrics)


async def _healthz(_request: web.Request) -> web.Response:
    return _state(HTTPStatus.OK, alive=True)


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


def _state(http_status: HTTPStatus, **fields: object) -> web.Response:
    return web.Response(status=http_status, body=msgspec.json.encode(fields), content_type="application/json")

"""What every process tells of itself over HTTP: that it lives, whether it can work, and its numbers."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

PROBE_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})

# What the process lacks for its work, each with the remedy; [] when it is ready.
Missing = Callable[[], Awaitable[list[str]]]
# What it works without, though it should not have to; [] when all is well.
Degraded = Callable[[], list[str]]


def add_probes(app: web.Application, missing: Missing, degraded: Degraded = list) -> None:
    """Answers GET on PROBE_ROUTES.

    /healthz says 200 as long as anything is answered at all; /readyz says 200, or 503 with what is missing; what
    it works without stands there as `degraded`, which is left out when there is none. /metrics gives every metric of
    this process in Prometheus' text format.
    """

    async def readyz(_request: web.Request) -> web.Response:
        found = await missing()
        http_status = HTTPStatus.SERVICE_UNAVAILABLE if found else HTTPStatus.OK
        without = {"degraded": lacking} if (lacking := degraded()) else {}
        return _state(http_status, ready=not found, missing=found, **without)

    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", _metrics)


async def _healthz(_request: web.Request) -> web.Response:
    return _state(HTTPStatus.OK, alive=True)


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


def _state(http_status: HTTPStatus, **fields: object) -> web.Response:
    return web.Response(status=http_status, body=msgspec.json.encode(fields), content_type="application/json")

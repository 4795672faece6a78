"""Probes: is the process alive, can it answer questions, and what are its numbers?"""

import asyncio
from http import HTTPStatus

import msgspec
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from worker.errors import ImpossibleSetting, StoreUnavailable
from worker.store.pool import Executor
from worker.store.readiness import missing_migrations

_READY_TIMEOUT_SECONDS = 2.0


def alive() -> web.Response:
    """The process answers; nothing is said about anything else."""
    return _state(HTTPStatus.OK, {"alive": True})


async def ready(executor: Executor, *, has_tokens: bool, stopping: bool) -> web.Response:
    """200 when questions can be answered, else 503 with what is missing and the remedy for each."""
    missing: list[str] = []
    if stopping:
        missing.append("this API is stopping: ask another one")
    if not has_tokens:
        missing.append("no token is configured, so that nobody may ask: set api.tokens")
    try:
        async with asyncio.timeout(_READY_TIMEOUT_SECONDS):
            names = await missing_migrations(executor)
    except TimeoutError:
        missing.append(f"Postgres did not answer within {_READY_TIMEOUT_SECONDS:g} s: see what keeps it busy")
    except (StoreUnavailable, ImpossibleSetting) as error:
        missing.append(str(error))
    else:
        if names:
            missing.append(f"the database lacks {', '.join(names)}: run `bouncekeeper migrate`")
    http_status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
    return _state(http_status, {"ready": not missing, "missing": missing})


def numbers() -> web.Response:
    """Every metric of this process, in Prometheus' text format."""
    return web.Response(body=generate_latest(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


def _state(http_status: HTTPStatus, state: dict[str, object]) -> web.Response:
    return web.Response(body=msgspec.json.encode(state), status=http_status.value, content_type="application/json")

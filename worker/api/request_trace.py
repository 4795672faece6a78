"""The span of a request to the API. It never holds a path or a query, which name contacts, and no token."""

import time
from http import HTTPStatus

from aiohttp import web

from schemas.trace_context import TRACEPARENT, TRACESTATE, TraceContext
from worker.tracing.tracer import Span, active_tracer

_SPAN: web.RequestKey[Span] = web.RequestKey("span")


def begin_span(request: web.Request, route: str, started: float) -> str | None:
    """Begins the span of a caller who has a token; gives the id of its trace, None if it is not traced.

    The caller's own trace is continued: whoever has a token is believed. `started` is when the request began, by
    time.perf_counter.
    """
    tracer = active_tracer()
    if tracer is None:
        return None
    parents = request.headers.getall(TRACEPARENT, ())
    caller = None
    if len(parents) == 1:
        caller = TraceContext(traceparent=parents[0], tracestate=",".join(request.headers.getall(TRACESTATE, ())))
    span = tracer.request(
        f"{request.method} {route}",
        {"http.request.method": request.method, "http.route": route, "url.scheme": "http"},
        caller=caller,
        is_trusted=True,
        started_ns=time.time_ns() - int((time.perf_counter() - started) * 1e9),
    )
    if span is None:
        return None
    request[_SPAN] = span
    return span.trace_id


def end_span(request: web.Request, response: web.StreamResponse) -> None:
    """Ends the span with the request's answer, if there is one."""
    if active_tracer() is None or _SPAN not in request:
        return
    span = request[_SPAN]
    span.note({"http.response.status_code": response.status})
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.fail(str(response.status))
    span.end()

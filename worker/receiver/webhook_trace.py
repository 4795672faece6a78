"""The trace of a webhook as far as the receiver: its request, and the wait for the queue's confirm.

No span names the caller, the path of an unsubscribe link, a query or anything of a body.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from aiohttp import web

from schemas.envelope import Envelope
from schemas.lane import Lane
from schemas.trace_context import TRACEPARENT, TRACESTATE, TraceContext
from worker.connections.remote_address import RemoteAddress
from worker.tracing.queueing import begin_queueing
from worker.tracing.tracer import Attributes, Span, Tracer, active_tracer

_SPAN: web.RequestKey[Span] = web.RequestKey("span")

# Others are a caller's own words, of which there is no end.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def traced(handler: Handler, *, route: str, remote_address: RemoteAddress, attributes: Attributes) -> Handler:
    """The handler with a span for each request that is traced; the handler itself while traces are off."""
    tracer = active_tracer()
    if tracer is None:
        return handler
    known = {"http.route": route, "url.scheme": "http", **attributes}

    async def handle(request: web.Request) -> web.StreamResponse:
        is_trusted = tracer.continues_from_proxies and remote_address.is_trusted(request.remote or "")
        if not (is_trusted or tracer.by_chance()):
            return await handler(request)
        method = request.method if request.method in _METHODS else "_OTHER"
        span = tracer.request(
            f"{method} {route}",
            {"http.request.method": method, **known},
            caller=caller_of(request),
            is_trusted=is_trusted,
            is_chosen=not is_trusted,
        )
        if span is None:
            return await handler(request)
        request[_SPAN] = span
        with span:
            response = await handler(request)
            span.note({"http.response.status_code": response.status})
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                span.fail(str(response.status))
        return response

    return handle


def caller_of(request: web.Request) -> TraceContext | None:
    """What the request's headers say of its trace; None if they say nothing, or several things."""
    parents = request.headers.getall(TRACEPARENT, None)
    if parents is None or len(parents) > 1:
        return None
    return TraceContext(traceparent=parents[0], tracestate=",".join(request.headers.getall(TRACESTATE, ())))


def is_traced(request: web.Request) -> bool:
    """True if the request has a span."""
    return _SPAN in request


@contextmanager
def queueing(tracer: Tracer, request: web.Request, envelope: Envelope, lane: Lane) -> Iterator[Envelope]:
    """A span of the wait for the queue's confirm, and the envelope that carries it; as it is if nothing is traced."""
    request_span = _span_of(request)
    if request_span is None:
        yield envelope
        return
    request_span.note({"bouncekeeper.delivery_id": str(envelope.delivery_id)})
    span = begin_queueing(tracer, envelope, lane, request_span.context)
    if span is None:
        yield envelope
        return
    with span:
        yield envelope.traced(span.context)


def note_outcome(request: web.Request, outcome: str, reason: str) -> str | None:
    """Notes what became of the webhook; gives the id of its trace for its log line, None if it is not traced."""
    span = _span_of(request)
    if span is None:
        return None
    span.note({"bouncekeeper.outcome": outcome, **({"bouncekeeper.reason": reason} if reason else {})})
    return span.trace_id


def _span_of(request: web.Request) -> Span | None:
    span: Span | None = request.get(_SPAN)
    return span

"""A collector of OpenTelemetry: a real server for OTLP over HTTP, and what it has received."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.waiting import until


class ReceivedSpan(Struct, frozen=True, kw_only=True):
    """One span as it came over the wire."""

    name: str
    kind: str  # SERVER, CLIENT, PRODUCER, CONSUMER
    trace_id: str
    span_id: str
    parent_id: str  # "" for the first span of a trace that begins here
    links: list[tuple[str, str]]  # trace and span
    attributes: dict[str, Any]
    failed: bool
    started_ns: int
    ended_ns: int
    trace_state: str
    resource: dict[str, Any]

    def is_named_by(self, traceparent: object) -> bool:
        """True if the header names this span, as one that is traced."""
        named = re.fullmatch(f"00-{self.trace_id}-{self.span_id}-([0-9a-f]{{2}})", str(traceparent))
        return named is not None and int(named[1], 16) & 1 == 1


class Collector:
    """What was received, and how the server answers."""

    def __init__(self) -> None:
        self.spans: list[ReceivedSpan] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """The handler of POST /v1/traces."""
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        await self.may_answer.wait()
        if self.status != 200:
            return web.Response(status=self.status, headers={"Retry-After": "1"})
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _attributes(list(of_resource.resource.attributes))
            for of_scope in of_resource.scope_spans:
                assert of_scope.scope.name == "bouncekeeper"
                self.spans += [_received(span, resource) for span in of_scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )

    def named(self, name: str) -> list[ReceivedSpan]:
        """All spans of this name."""
        return [span for span in self.spans if span.name == name]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for spans."""
        await until(lambda: bool(condition()), what, show=lambda: [(span.name, span.trace_id) for span in self.spans])

    async def one(self, name: str) -> ReceivedSpan:
        """The only span of this name, once it has come."""
        await self.until(lambda: self.named(name), f"a span {name}")
        (span,) = self.named(name)
        return span


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens inside the block."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    collector.url = f"http://{host}:{port}"
    try:
        yield collector
    finally:
        collector.may_answer.set()
        await runner.cleanup()


def _received(span: Span, resource: dict[str, Any]) -> ReceivedSpan:
    return ReceivedSpan(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        attributes=_attributes(list(span.attributes)),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        trace_state=span.trace_state,
        resource=resource,
    )


def _attributes(pairs: list[KeyValue]) -> dict[str, Any]:
    return {pair.key: _plain(pair.value) for pair in pairs}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    return getattr(value, kind)

"""The tracer on OpenTelemetry's SDK. Imported only if traces are switched on."""

import random
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, format_span_id, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.trace_context import TraceContext
from worker.tracing.span_queue import SpanQueue
from worker.tracing.tracer import MOST_LINKS, Attributes, Kind

_KINDS = {
    Kind.SERVER: SpanKind.SERVER,
    Kind.CLIENT: SpanKind.CLIENT,
    Kind.PRODUCER: SpanKind.PRODUCER,
    Kind.CONSUMER: SpanKind.CONSUMER,
}
_LIMITS = SpanLimits(max_links=MOST_LINKS, max_span_attribute_length=256)
_propagator = TraceContextTextMapPropagator()
_NO_CONTEXT = trace.set_span_in_context(trace.INVALID_SPAN)


class OtelSpan:
    """A worker.tracing.tracer.Span that is recorded."""

    __slots__ = ("_span", "context", "trace_id")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        place = span.get_span_context()
        self.trace_id = format_trace_id(place.trace_id)
        self.context = TraceContext(
            traceparent=f"00-{self.trace_id}-{format_span_id(place.span_id)}-{place.trace_flags:02x}",
            tracestate=place.trace_state.to_header(),
        )

    def note(self, attributes: Attributes) -> None:
        """Adds attributes."""
        self._span.set_attributes(dict(attributes))

    def fail(self, error_type: str) -> None:
        """It has failed."""
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(StatusCode.ERROR)

    def end(self) -> None:
        """It ends now."""
        self._span.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.fail(kind.__name__)  # without the message, which may hold an address
        self.end()


class OtelTracer:
    """A worker.tracing.tracer.Tracer. `close` sends what waits."""

    def __init__(
        self,
        queue: SpanQueue,
        *,
        resource: Resource,
        version: str,
        ratio: float,
        messaging_system: str,
        continues_from_proxies: bool,
    ) -> None:
        self._queue = queue
        self._ratio = ratio
        self.messaging_system = messaging_system
        self.continues_from_proxies = continues_from_proxies
        # What is traced is decided here, before the SDK costs anything.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, span_limits=_LIMITS, shutdown_on_exit=False)
        provider.add_span_processor(queue)
        self._tracer = provider.get_tracer("bouncekeeper", version)

    def by_chance(self) -> bool:
        """Whether what begins now is traced."""
        return random.random() < self._ratio  # noqa: S311 - no secret

    def request(
        self,
        name: str,
        attributes: Attributes,
        *,
        caller: TraceContext | None = None,
        is_trusted: bool = False,
        is_chosen: bool = False,
        kind: Kind = Kind.SERVER,
        started_ns: int | None = None,
    ) -> OtelSpan | None:
        """The first span of something that begins here; None if it is not traced."""
        before = _read(caller) if caller is not None else None
        if before is not None and is_trusted:
            if not before.trace_flags.sampled:
                return None
            return self._start(name, kind, attributes, parent=before, started_ns=started_ns)
        if not (is_chosen or self.by_chance()):
            return None
        return self._start(name, kind, attributes, links=() if before is None else (before,), started_ns=started_ns)

    def child(
        self, parent: TraceContext, name: str, kind: Kind, attributes: Attributes, links: Sequence[TraceContext] = ()
    ) -> OtelSpan | None:
        """A span below another one; None if that is not traced or cannot be read."""
        before = _read(parent)
        if before is None or not before.trace_flags.sampled:
            return None
        return self._start(name, kind, attributes, parent=before, links=_traced(links))

    def batch(self, members: Sequence[TraceContext], name: str, kind: Kind, attributes: Attributes) -> OtelSpan | None:
        """A span of its own trace, with a link to each member; None if none of them is traced."""
        links = _traced(members)
        return self._start(name, kind, attributes, links=links) if links else None

    def close(self, seconds: float) -> None:
        """Sends what waits, for so long at most."""
        self._queue.close(seconds)

    def _start(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        started_ns: int | None = None,
    ) -> OtelSpan:
        # The place of the parent is always said: no span depends on what happens to be current in a task.
        context = _NO_CONTEXT if parent is None else trace.set_span_in_context(trace.NonRecordingSpan(parent))
        return OtelSpan(
            self._tracer.start_span(
                name,
                context=context,
                kind=_KINDS[kind],
                attributes=dict(attributes),
                links=[Link(place) for place in links],
                start_time=started_ns,
            )
        )


def _read(context: TraceContext) -> SpanContext | None:
    """The span that the headers name; None if they are not as the recommendation has them."""
    try:
        found = trace.get_current_span(_propagator.extract(context.headers, Context())).get_span_context()
    except (ValueError, TypeError):
        return None
    return found if found.is_valid else None


def _traced(contexts: Sequence[TraceContext]) -> list[SpanContext]:
    read = [_read(context) for context in contexts[:MOST_LINKS]]
    return [place for place in read if place is not None and place.trace_flags.sampled]

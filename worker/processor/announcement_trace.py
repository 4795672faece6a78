"""The traces in which status changes are announced: those of the webhooks that they came of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from schemas.outgoing import StatusChanged
from schemas.trace_context import TraceContext
from worker.store.delivery_traces import kept_traces
from worker.store.pool import Pool
from worker.tracing.tracer import Attributes, Kind, Span, active_tracer

SpanOf = Callable[[StatusChanged], tuple[str, Kind, Attributes]]


async def announcing(
    pool: Pool, changes: Sequence[StatusChanged], span_of: SpanOf
) -> AbstractContextManager[Mapping[str, TraceContext]]:
    """A block with a span for each change that is traced; inside it, their places by message id.

    `span_of` describes the span. Raises StoreUnavailable.
    """
    tracer = active_tracer()
    if tracer is None:
        return nullcontext({})
    deliveries = {change.delivery_id for change in changes if change.delivery_id is not None}
    traces = await kept_traces(pool, deliveries) if deliveries else {}
    spans: dict[str, Span] = {}
    for change in changes:
        if change.delivery_id in traces:
            name, kind, attributes = span_of(change)
            about = {"bouncekeeper.delivery_id": str(change.delivery_id), **attributes}
            if (span := tracer.child(traces[change.delivery_id], name, kind, about)) is not None:
                spans[str(change.message_id)] = span
    return _inside(spans)


@contextmanager
def _inside(spans: Mapping[str, Span]) -> Iterator[Mapping[str, TraceContext]]:
    with ExitStack() as stack:
        for span in spans.values():
            stack.enter_context(span)
        yield {name: span.context for name, span in spans.items()}

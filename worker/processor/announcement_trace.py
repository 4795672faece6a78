"""The traces in which status changes are announced: those of the webhooks that they came of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from uuid import UUID

from schemas.outgoing import StatusChanged
from schemas.trace_context import TraceContext
from worker.store.delivery_traces import kept_traces
from worker.store.pool import Pool
from worker.tracing.tracer import Attributes, Kind, active_tracer

SpanOf = Callable[[StatusChanged], tuple[str, Kind, Attributes]]


async def traces_of(pool: Pool, changes: Sequence[StatusChanged]) -> Mapping[UUID, TraceContext]:
    """The traces of the changes that are traced, by delivery id; none while traces are off. Raises StoreUnavailable."""
    if active_tracer() is None:
        return {}
    deliveries = {change.delivery_id for change in changes if change.delivery_id is not None}
    return await kept_traces(pool, deliveries) if deliveries else {}


@contextmanager
def announcing(
    traces: Mapping[UUID, TraceContext], changes: Sequence[StatusChanged], span_of: SpanOf
) -> Iterator[Mapping[str, TraceContext]]:
    """A block with a span for each change that is traced; inside it, their places by message id.

    `traces` are those of `traces_of`, for these changes and perhaps for more. `span_of` describes the span.
    """
    tracer = active_tracer()
    contexts: dict[str, TraceContext] = {}
    with ExitStack() as stack:
        for change in changes:
            parent = None if change.delivery_id is None else traces.get(change.delivery_id)
            if tracer is None or parent is None:
                continue
            name, kind, attributes = span_of(change)
            about = {"bouncekeeper.delivery_id": str(change.delivery_id), **attributes}
            if (span := tracer.child(parent, name, kind, about)) is not None:
                contexts[str(change.message_id)] = stack.enter_context(span).context
        yield contexts

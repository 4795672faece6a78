"""The trace of a load: a span for each delivery that is traced, in its own trace, and one for the whole load.

A load has many parents. So each traced delivery gets a span below the one in which it was queued, and links to the span
of the load; that one is in a trace of its own, links to where the deliveries come from, and has the transactions below
it. A load without traced deliveries has no span.

After a pause a load holds thousands of deliveries. A span costs the event loop a tenth of a millisecond, and the queue
of spans is short, so only the first MOST_LINKS traced deliveries of a load have one. The trace of each other one ends
where it was queued.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from types import TracebackType
from typing import Self
from uuid import UUID

from schemas.envelope import Envelope
from schemas.queue_topology import PARCELS_EXCHANGE
from schemas.trace_context import TraceContext
from worker.processor.batch import Committed
from worker.processor.parsing import ParsedParcels
from worker.store.dead_letters import SetAsideDelivery
from worker.tracing.tracer import MOST_LINKS, Attributes, Kind, Span, Tracer, active_tracer

# As the processor's queues are named in the log; both hold what was sent to the exchange.
_SYSTEMS = {"rabbitmq": "rabbitmq", "postgres": "postgresql"}


class LoadTrace:
    """The spans of one load. Used as a block, they end with it; an error of the block is their failure."""

    def __init__(
        self, tracer: Tracer | None = None, load: Span | None = None, deliveries: dict[UUID, Span] | None = None
    ) -> None:
        self._tracer = tracer
        self._load = load
        self._deliveries = deliveries or {}
        # Of the traced deliveries, by their ids.
        self.contexts: dict[UUID, TraceContext] = {name: span.context for name, span in self._deliveries.items()}

    @property
    def trace_id(self) -> str | None:
        """The trace of the load; None if nothing of it is traced."""
        return None if self._load is None else self._load.trace_id

    def trace_ids(self) -> dict[UUID, str]:
        """The traces of the deliveries, by their ids."""
        return {name: span.trace_id for name, span in self._deliveries.items()}

    def transaction(self, events: int) -> AbstractContextManager[object]:
        """A span for a transaction with so many events."""
        if self._tracer is None or self._load is None:
            return nullcontext()
        attributes: Attributes = {
            "db.system.name": "postgresql",
            "db.operation.name": "apply_events",
            "bouncekeeper.events": events,
        }
        return self._tracer.child(self._load.context, "apply_events", Kind.CLIENT, attributes) or nullcontext()

    def note_outcome(
        self, parsed: ParsedParcels, committed: Sequence[Committed], set_aside: Sequence[SetAsideDelivery]
    ) -> None:
        """Notes what became of the deliveries, once it is committed."""
        if self._load is None:
            return
        applied = [applied for one in committed for applied in one.applied]
        self._load.note(
            {
                "messaging.batch.message_count": len(parsed.deliveries) + len(set_aside),
                "bouncekeeper.events": parsed.event_count,
                "bouncekeeper.new_events": sum(one.new_events for one in applied),
                "bouncekeeper.status_changes": sum(len(one.changes) for one in applied),
                "bouncekeeper.set_aside": len(set_aside),
            }
        )
        for delivery in parsed.deliveries:
            if (span := self._deliveries.get(delivery.envelope.delivery_id)) is not None:
                span.note({"bouncekeeper.outcome": "applied", "bouncekeeper.events": len(delivery.events)})
        for one in set_aside:
            if (span := self._deliveries.get(one.envelope.delivery_id)) is not None:
                span.note({"bouncekeeper.outcome": "set_aside", "bouncekeeper.reason": one.reason})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for span in (*self._deliveries.values(), self._load):
            if span is not None:
                span.__exit__(kind, error, trace)


UNTRACED = LoadTrace()


def begin_load_trace(parsed: ParsedParcels, *, queue: str) -> LoadTrace:
    """The trace of a load that is stored now; without spans if nothing in it is traced."""
    tracer = active_tracer()
    if tracer is None:
        return UNTRACED
    contexts: dict[UUID, TraceContext] = {}
    envelopes: list[Envelope] = []
    for envelope in chain((one.envelope for one in parsed.deliveries), (one.envelope for one in parsed.set_aside)):
        context = envelope.trace_context
        if context is None or envelope.delivery_id in contexts:  # a parcel that was queued twice
            continue
        contexts[envelope.delivery_id] = context
        envelopes.append(envelope)
        if len(envelopes) == MOST_LINKS:
            break
    common = {
        "messaging.system": _SYSTEMS.get(queue, queue),
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": PARCELS_EXCHANGE,
    }
    load = tracer.batch(list(contexts.values()), f"process {PARCELS_EXCHANGE}", Kind.CONSUMER, common)
    if load is None:
        return UNTRACED
    deliveries: dict[UUID, Span] = {}
    for envelope in envelopes:
        span = tracer.child(
            contexts[envelope.delivery_id],
            f"process {PARCELS_EXCHANGE}",
            Kind.CONSUMER,
            {**common, **_of_delivery(envelope)},
            [load.context],
        )
        if span is not None:
            deliveries[envelope.delivery_id] = span
    return LoadTrace(tracer, load, deliveries)


def _of_delivery(envelope: Envelope) -> dict[str, str | int]:
    delivery_id = str(envelope.delivery_id)
    return {
        "messaging.message.id": delivery_id,
        "messaging.message.body.size": len(envelope.body),
        "bouncekeeper.delivery_id": delivery_id,
        "bouncekeeper.source": envelope.source,
        "bouncekeeper.provider": envelope.provider,
    }

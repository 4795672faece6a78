"""The span in which a delivery waits for the queue's confirm. The envelope carries it to the processor.

A parcel holds deliveries of many traces, so each brings its own, whichever queue the parcel is in.
"""

from schemas.envelope import Envelope
from schemas.lane import Lane
from schemas.queue_topology import PARCELS_EXCHANGE
from schemas.trace_context import TraceContext
from worker.tracing.tracer import Attributes, Kind, Span, Tracer

_NAME = f"send {PARCELS_EXCHANGE}"


def begin_queueing(tracer: Tracer, envelope: Envelope, lane: Lane, parent: TraceContext | None) -> Span | None:
    """The span, below `parent` or as the first of its trace; None if it is not traced."""
    delivery_id = str(envelope.delivery_id)
    attributes: Attributes = {
        "messaging.system": tracer.messaging_system,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": PARCELS_EXCHANGE,
        "messaging.rabbitmq.destination.routing_key": lane.name,
        "messaging.message.id": delivery_id,
        "messaging.message.body.size": len(envelope.body),
        "bouncekeeper.delivery_id": delivery_id,
        "bouncekeeper.source": envelope.source,
        "bouncekeeper.provider": envelope.provider,
    }
    if parent is None:
        return tracer.request(_NAME, attributes, kind=Kind.PRODUCER)
    return tracer.child(parent, _NAME, Kind.PRODUCER, attributes)

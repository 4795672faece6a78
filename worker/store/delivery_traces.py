"""In which trace a webhook was processed, for whoever announces the status changes that came of it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from schemas.trace_context import TraceContext
from worker.store.pool import Connection, Pool, store_errors
from worker.store.row import Row

# Changes are announced within a second. After an outage of a day they are announced outside of their traces.
_FORGOTTEN_AFTER = timedelta(days=1)


class _DeliveryTrace(Row, frozen=True):
    delivery_id: UUID
    traceparent: str
    tracestate: str
    noted_at: datetime


_KEEP = f"""
    INSERT INTO delivery_traces ({_DeliveryTrace.select_list()})
    SELECT {_DeliveryTrace.select_list("n")} FROM {_DeliveryTrace.unnest("n")}
"""  # noqa: S608 - the column list is made of the names above
_READ = "SELECT delivery_id, traceparent, tracestate FROM delivery_traces WHERE delivery_id = ANY ($1::uuid[])"
_FORGET = "DELETE FROM delivery_traces WHERE noted_at < $1"


async def keep_traces(connection: Connection, traces: Mapping[UUID, TraceContext], *, now: datetime) -> None:
    """Keeps the trace of each delivery, in the transaction that stores the changes."""
    rows = [
        _DeliveryTrace(
            delivery_id=delivery_id, traceparent=trace.traceparent, tracestate=trace.tracestate, noted_at=now
        )
        for delivery_id, trace in traces.items()
    ]
    await connection.execute(_KEEP, *_DeliveryTrace.arrays(rows))


async def kept_traces(pool: Pool, delivery_ids: Collection[UUID]) -> dict[UUID, TraceContext]:
    """The traces of those deliveries that have one. Raises StoreUnavailable."""
    with store_errors("reading the traces of webhooks"):
        records = await pool.fetch(_READ, list(delivery_ids))
    return {
        record["delivery_id"]: TraceContext(traceparent=record["traceparent"], tracestate=record["tracestate"])
        for record in records
    }


async def forget_traces(pool: Pool, *, now: datetime) -> None:
    """Deletes the traces of more than a day ago. Raises StoreUnavailable."""
    with store_errors("forgetting the traces of webhooks"):
        await pool.execute(_FORGET, now - _FORGOTTEN_AFTER)

"""The rows of events: which are known already, and how new ones are written."""

import operator
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from schemas.feedback_event import FeedbackEvent
from worker.store.pool import Connection

_COLUMNS = (
    "occurred_at",
    "rank",
    "event_key",
    "contact_id",
    "kind",
    "cause",
    "provider",
    "source",
    "vendor_event",
    "message_id",
    "smtp_code",
    "enhanced_status",
    "diagnostic",
    "scope",
    "machine",
    "received_at",
    "delivery_id",
    "tags",
    "metadata",
    "raw",
)

_KNOWN = """
    SELECT e.event_key
      FROM unnest($1::timestamptz[], $2::bytea[]) AS k (occurred_at, event_key)
      JOIN events e ON e.occurred_at = k.occurred_at AND e.event_key = k.event_key
"""

# Events that name nobody have no contact whose lock would keep two writers apart: the primary key does.
_INSERT_ONE = f"""
    INSERT INTO events ({", ".join(_COLUMNS)})
    VALUES ({", ".join(f"${place}" for place in range(1, len(_COLUMNS) + 1))})
    ON CONFLICT (occurred_at, event_key) DO NOTHING
    RETURNING 1
"""  # noqa: S608 - the column list is a constant above

_DATE_BY_ARRIVAL = """
    INSERT INTO arrival_dated_events AS a (event_key, occurred_at)
    SELECT n.event_key, n.occurred_at FROM unnest($1::bytea[], $2::timestamptz[]) AS n (event_key, occurred_at)
     ORDER BY n.event_key
    ON CONFLICT (event_key) DO UPDATE SET occurred_at = a.occurred_at
    RETURNING event_key, occurred_at
"""

_DATED_BY_ARRIVAL = """
    SELECT a.event_key, a.occurred_at
      FROM unnest($1::bytea[]) AS n (event_key) JOIN arrival_dated_events a ON a.event_key = n.event_key
"""

EventRecord = tuple[Any, ...]


def event_record(event: FeedbackEvent, contact_id: int | None) -> EventRecord:
    """The event as a row of the table `events`, for `copy_events`."""
    return (
        event.occurred_at,
        event.rank,
        event.event_key,
        contact_id,
        event.kind,
        event.cause,
        event.provider,
        event.source,
        event.vendor_event,
        event.message_id,
        event.smtp_code,
        event.enhanced_status,
        event.diagnostic,
        event.scope,
        event.machine,
        event.received_at,
        event.delivery_id,
        event.tags or None,
        event.metadata,
        event.raw,
    )


provider_and_kind = operator.itemgetter(_COLUMNS.index("provider"), _COLUMNS.index("kind"))  # of an EventRecord


async def date_by_first_arrival(connection: Connection, events: Sequence[FeedbackEvent]) -> dict[bytes, datetime]:
    """When each of these events without a vendor's time first arrived, this being its first arrival or not."""
    records = await connection.fetch(
        _DATE_BY_ARRIVAL, [event.event_key for event in events], [event.occurred_at for event in events]
    )
    return {record["event_key"]: record["occurred_at"] for record in records}


async def first_arrivals(connection: Connection, keys: Sequence[bytes]) -> dict[bytes, datetime]:
    """When those of these events first arrived that were dated by their arrival. Nearly always nothing."""
    if not keys or not await connection.fetchval("SELECT EXISTS (SELECT FROM arrival_dated_events)"):
        return {}
    records = await connection.fetch(_DATED_BY_ARRIVAL, keys)
    return {record["event_key"]: record["occurred_at"] for record in records}


async def known_event_keys(connection: Connection, events: Sequence[FeedbackEvent]) -> set[bytes]:
    """The keys of those events that are stored already."""
    if not events:
        return set()
    records = await connection.fetch(
        _KNOWN, [event.occurred_at for event in events], [event.event_key for event in events]
    )
    return {key for (key,) in records}


async def copy_events(connection: Connection, records: Iterable[EventRecord]) -> None:
    """Writes rows that are known to be new. Raises asyncpg.UniqueViolationError when one is not."""
    await connection.copy_records_to_table("events", columns=_COLUMNS, records=records)


async def insert_nameless_event(connection: Connection, event: FeedbackEvent) -> bool:
    """True when this event, which names no contact, was new."""
    return await connection.fetchval(_INSERT_ONE, *event_record(event, None)) is not None

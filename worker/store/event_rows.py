"""The rows of events: which are known already, how new ones are written, how a contact's own are read back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Channel, Kind

_COLUMNS = (
    "occurred_at",
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

_encode_json = msgspec.json.Encoder().encode

EventRecord = tuple[Any, ...]


def event_record(event: FeedbackEvent, contact_id: int | None) -> EventRecord:
    """The event as a row of the table `events`, for `copy_events`."""
    return (
        event.occurred_at,
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


async def date_by_first_arrival(
    connection: asyncpg.Connection, events: Sequence[FeedbackEvent]
) -> dict[bytes, datetime]:
    """When each of these events without a vendor's time first arrived, this being its first arrival or not."""
    records = await connection.fetch(
        _DATE_BY_ARRIVAL, [event.event_key for event in events], [event.occurred_at for event in events]
    )
    return dict(records)


async def known_event_keys(connection: asyncpg.Connection, events: Sequence[FeedbackEvent]) -> set[bytes]:
    """The keys of those events that are stored already."""
    if not events:
        return set()
    records = await connection.fetch(
        _KNOWN, [event.occurred_at for event in events], [event.event_key for event in events]
    )
    return {key for (key,) in records}


async def copy_events(connection: asyncpg.Connection, records: Iterable[EventRecord]) -> None:
    """Writes rows that are known to be new. Raises asyncpg.UniqueViolationError when one is not."""
    await connection.copy_records_to_table("events", columns=_COLUMNS, records=records)


async def insert_nameless_event(connection: asyncpg.Connection, event: FeedbackEvent) -> bool:
    """True when this event, which names no contact, was new."""
    return await connection.fetchval(_INSERT_ONE, *event_record(event, None)) is not None


_STORED = """
    SELECT e.contact_id, e.occurred_at, e.event_key, e.kind, e.cause, e.provider, e.source, e.vendor_event,
           e.message_id, e.smtp_code, e.enhanced_status, e.diagnostic, e.scope, e.machine, e.received_at,
           e.delivery_id, e.tags, e.metadata, c.address, c.account, c.channel
      FROM events e JOIN contacts c ON c.id = e.contact_id
     WHERE e.contact_id = ANY ($1::bigint[]) AND ($2::text[] IS NULL OR e.kind = ANY ($2::text[]))
     ORDER BY e.contact_id, e.occurred_at, e.event_key
"""


async def stored_events(
    connection: asyncpg.Connection, contact_ids: Sequence[int], kinds: Iterable[Kind] | None = None
) -> dict[int, list[FeedbackEvent]]:
    """Each contact's stored events in the order of the fold, without their raw bytes; of these kinds, or all."""
    by_contact: dict[int, list[FeedbackEvent]] = {contact_id: [] for contact_id in contact_ids}
    wanted = None if kinds is None else [kind.value for kind in kinds]
    for record in await connection.fetch(_STORED, list(contact_ids), wanted):
        by_contact[record["contact_id"]].append(
            FeedbackEvent(
                event_key=record["event_key"],
                provider=record["provider"],
                source=record["source"],
                account=record["account"],
                address=record["address"],
                kind=Kind(record["kind"]),
                occurred_at=record["occurred_at"],
                received_at=record["received_at"],
                delivery_id=record["delivery_id"],
                cause=Cause(record["cause"]),
                channel=Channel(record["channel"]),
                vendor_event=record["vendor_event"],
                message_id=record["message_id"],
                smtp_code=record["smtp_code"],
                enhanced_status=record["enhanced_status"],
                diagnostic=record["diagnostic"],
                scope=record["scope"],
                machine=record["machine"],
                tags=tuple(record["tags"] or ()),
                metadata=record["metadata"],
            )
        )
    return by_contact

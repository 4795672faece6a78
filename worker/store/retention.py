"""The SQL of keeping old months' effect while their events go."""

from collections.abc import Sequence
from datetime import datetime

from schemas.feedback_event import FeedbackEvent
from worker.store.event_rows import EVENT_COLUMNS, KeyInMonth
from worker.store.pool import Connection

_CONTACTS_WITH_EVENTS = """
    SELECT DISTINCT contact_id FROM events
     WHERE occurred_at >= $1 AND occurred_at < $2 AND contact_id > $3
     ORDER BY contact_id LIMIT $4
"""

_MOVE = f"""
    INSERT INTO kept_events ({", ".join(EVENT_COLUMNS)})
    SELECT {", ".join(f"e.{name}" for name in EVENT_COLUMNS)}
      FROM {KeyInMonth.unnest("k")}
      JOIN events e ON e.occurred_at = k.occurred_at AND e.event_key = k.event_key
    ON CONFLICT (contact_id, event_key) DO NOTHING
"""  # noqa: S608 - the column list is a constant

_FORGET_OTHERS = """
    DELETE FROM kept_events
     WHERE contact_id = ANY ($1::bigint[]) AND occurred_at < $2 AND event_key <> ALL ($3::bytea[])
"""


async def contacts_with_events_in(
    connection: Connection, since: datetime, until: datetime, after: int, limit: int
) -> list[int]:
    """The ids of contacts with events in [since, until), in their order, behind `after`."""
    records = await connection.fetch(_CONTACTS_WITH_EVENTS, since, until, after, limit)
    return [record["contact_id"] for record in records]


async def keep_only(
    connection: Connection, contact_ids: Sequence[int], until: datetime, kept: Sequence[FeedbackEvent]
) -> None:
    """Of what these contacts' events were before `until`, these and no others are among the kept ones."""
    keys = [KeyInMonth(occurred_at=event.occurred_at, event_key=event.event_key) for event in kept]
    await connection.execute(_MOVE, *KeyInMonth.arrays(keys))
    await connection.execute(_FORGET_OTHERS, list(contact_ids), until, [key.event_key for key in keys])


async def forget_arrival_dates(connection: Connection, before: datetime) -> None:
    """Events past the retention need not be registered any more: those that are kept are found by their contact."""
    await connection.execute("DELETE FROM arrival_dated_events WHERE occurred_at < $1", before)

"""The SQL that keeps the effect of old months when their calm events are dropped."""

from collections.abc import Sequence
from datetime import datetime

from worker.store.event_rows import EVENT_COLUMNS
from worker.store.known_keys import KeyInMonth
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection

_CONTACTS_WITH_EVENTS = NamedStatement("""
    SELECT DISTINCT contact_id FROM calm_events
     WHERE occurred_at >= :since AND occurred_at < :until AND contact_id > :after
     ORDER BY contact_id LIMIT :limit
""")

_MOVE = f"""
    INSERT INTO kept_calm_events ({", ".join(EVENT_COLUMNS)})
    SELECT {", ".join(f"e.{name}" for name in EVENT_COLUMNS)}
      FROM {KeyInMonth.unnest("k")}
      JOIN calm_events e
        ON e.contact_id = k.contact_id AND e.occurred_at = k.occurred_at AND e.entry_key = k.entry_key
    ON CONFLICT (contact_id, entry_key) DO NOTHING
"""  # noqa: S608 - the column list is a constant

_FORGET_OTHERS = """
    DELETE FROM kept_calm_events
     WHERE contact_id = ANY ($1::bigint[]) AND occurred_at < $2 AND entry_key <> ALL ($3::bytea[])
"""


async def contacts_with_events_in(
    connection: Connection, *, since: datetime, until: datetime, after: int, limit: int
) -> list[int]:
    """The ids of contacts with calm events in [since, until), in order, beginning after the id `after`."""
    records = await connection.fetch(*_CONTACTS_WITH_EVENTS(since=since, until=until, after=after, limit=limit))
    return [record["contact_id"] for record in records]


async def keep_only(
    connection: Connection, contact_ids: Sequence[int], until: datetime, kept: Sequence[KeyInMonth]
) -> None:
    """Keeps exactly these of the contacts' calm events before `until`."""
    await connection.execute(_MOVE, *KeyInMonth.arrays(kept))
    await connection.execute(_FORGET_OTHERS, list(contact_ids), until, [key.entry_key for key in kept])


async def forget_old_keys(connection: Connection, before: datetime) -> None:
    """Deletes the registered keys of events before this moment, and events without a contact.

    Kept events are found by their contact.
    """
    await connection.execute("DELETE FROM arrival_dated_events WHERE occurred_at < $1", before)
    await connection.execute("DELETE FROM nameless_events WHERE occurred_at < $1", before)

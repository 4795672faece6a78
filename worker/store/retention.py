"""The SQL of keeping old months' effect while their events go."""

from collections.abc import Sequence
from datetime import datetime

from worker.store.contact_rows import ContactRow, lock_contacts_where
from worker.store.pool import Connection

_CONTACTS_WITH_EVENTS = """
    SELECT DISTINCT contact_id FROM events
     WHERE occurred_at >= $1 AND occurred_at < $2 AND contact_id > $3
     ORDER BY contact_id LIMIT $4
"""

_STORE_BASES = """
    UPDATE contacts c SET base = n.base, base_until = n.base_until
      FROM unnest($1::bigint[], $2::bytea[], $3::timestamptz[]) AS n (id, base, base_until)
     WHERE c.id = n.id
"""


async def contacts_with_events_in(
    connection: Connection, since: datetime, until: datetime, after: int, limit: int
) -> list[int]:
    """The ids of contacts with events in [since, until), in their order, behind `after`."""
    return [number for (number,) in await connection.fetch(_CONTACTS_WITH_EVENTS, since, until, after, limit)]


async def lock_contacts_by_id(connection: Connection, contact_ids: Sequence[int]) -> list[ContactRow]:
    """The rows, locked in the order of their ids until the transaction ends."""
    return await lock_contacts_where(connection, "c.id = ANY ($1::bigint[])", list(contact_ids))


async def store_bases(connection: Connection, bases: Sequence[tuple[int, bytes | None, datetime]]) -> None:
    """Writes (contact id, base, base_until) for rows that are locked by this transaction."""
    if bases:
        await connection.execute(_STORE_BASES, *zip(*bases, strict=True))


async def forget_arrival_dates(connection: Connection, before: datetime) -> None:
    """Dates of events that are past the retention are not needed any more."""
    await connection.execute("DELETE FROM arrival_dated_events WHERE occurred_at < $1", before)

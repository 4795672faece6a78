"""Looks up by their keys which entries are stored already.

An earlier version may have read a repeat as another kind, so that it is in another table than it would be now.
`arrival_dated_events` registers calm events that their key alone identifies, whatever time a repeat names.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from schemas.feedback_event import FeedbackEvent
from worker.store.id_array import id_array
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class KeyInMonth(Row, frozen=True):
    """The unique key of calm events in months."""

    contact_id: int
    occurred_at: datetime
    entry_key: bytes


class KeyOfContact(Row, frozen=True):
    """The unique key of entries, and of calm events that outlive their month."""

    contact_id: int
    entry_key: bytes


class FormerKey(Row, frozen=True):
    """An event's key, and a key under which a former version may have stored it."""

    occurred_at: datetime
    entry_key: bytes
    former_key: bytes
    contact_id: int | None  # None if its contact is not stored


class RegisteredKey(Row, frozen=True):
    """A calm event that its key alone identifies."""

    event_key: bytes
    occurred_at: datetime


_IN_MONTHS = f"""
    SELECT e.entry_key
      FROM {KeyInMonth.unnest("k")}
      JOIN calm_events e
        ON e.contact_id = k.contact_id AND e.occurred_at = k.occurred_at AND e.entry_key = k.entry_key
"""  # noqa: S608 - the column list is made of the names above

# Compared as rows, so that only the primary key serves: with `=` Postgres may choose the index that begins with the
# contact while the table is empty, keep this plan, and read a whole contact for each key when the table has grown.
_AMONG_ENTRIES = f"""
    SELECT e.entry_key
      FROM {KeyOfContact.unnest("k")}
      JOIN entries e ON (e.entry_key, e.contact_id) >= (k.entry_key, k.contact_id)
                    AND (e.entry_key, e.contact_id) <= (k.entry_key, k.contact_id)
"""  # noqa: S608 - as above
_WITH_ENTRIES = """
    SELECT k.id FROM unnest($1::text::bigint[]) AS k (id)
     CROSS JOIN LATERAL (SELECT FROM entries e WHERE e.contact_id = k.id LIMIT 1) AS any_entry
"""
_AMONG_KEPT = f"""
    SELECT e.entry_key
      FROM {KeyOfContact.unnest("k")}
      JOIN kept_calm_events e ON e.contact_id = k.contact_id AND e.entry_key = k.entry_key
"""  # noqa: S608 - as above

# The first byte of a key: the place of the event's kind in former versions, and the one of today, because the rest may
# be a former version's as well.
_FORMER_FIRST_BYTES = [*range(13), 0x80]
_AS_FORMER = "SELECT FROM unnest($1::integer[]) AS form (first_byte) JOIN"
_FORMER = "set_byte(k.former_key, 0, form.first_byte)"
_IS_FORMER = f"e.entry_key = {_FORMER}"
_IS_FORMER_ENTRY = f"""
    (e.entry_key, e.contact_id) >= ({_FORMER}, k.contact_id)
    AND (e.entry_key, e.contact_id) <= ({_FORMER}, k.contact_id)
"""
_IS_FORMER_KEPT = f"""
    (e.contact_id, e.entry_key) >= (k.contact_id, {_FORMER})
    AND (e.contact_id, e.entry_key) <= (k.contact_id, {_FORMER})
"""
_BY_FORMER_KEY = f"""
    SELECT k.entry_key
      FROM {FormerKey.unnest("k", first_parameter=2)}
     WHERE EXISTS ({_AS_FORMER} entries e ON {_IS_FORMER_ENTRY})
        OR EXISTS ({_AS_FORMER} calm_events e
                        ON e.contact_id = k.contact_id AND e.occurred_at = k.occurred_at AND {_IS_FORMER})
        OR EXISTS ({_AS_FORMER} kept_calm_events e ON {_IS_FORMER_KEPT})
        OR EXISTS ({_AS_FORMER} nameless_events e ON {_IS_FORMER})
"""  # noqa: S608 - as above

_REGISTER = f"""
    INSERT INTO arrival_dated_events ({", ".join(RegisteredKey.columns())})
    SELECT {RegisteredKey.select_list("n")} FROM {RegisteredKey.unnest("n")} ORDER BY n.event_key
"""  # noqa: S608 - as above
_ANY_REGISTERED = "SELECT EXISTS (SELECT FROM arrival_dated_events) OR EXISTS (SELECT FROM nameless_events)"
_REGISTERED = """
    SELECT a.event_key FROM unnest($1::bytea[]) AS n (key) JOIN arrival_dated_events a ON a.event_key = n.key
    UNION ALL
    SELECT e.entry_key FROM unnest($1::bytea[]) AS n (key) JOIN nameless_events e ON e.entry_key = n.key
"""


async def any_registered(connection: Connection) -> bool:
    """True if `registered_keys` may find any. Few databases hold events that are known by their key alone."""
    has_any: bool = await connection.fetchval(_ANY_REGISTERED)
    return has_any


async def registered_keys(connection: Connection, keys: Sequence[bytes]) -> set[bytes]:
    """The keys whose events are stored, with whatever time and contact."""
    if not keys:
        return set()
    return {key for (key,) in await connection.fetch(_REGISTERED, keys)}


async def register(connection: Connection, events: Sequence[FeedbackEvent]) -> None:
    """Registers events that their key alone identifies. Postgres refuses it if one is registered already."""
    if events:
        rows = [RegisteredKey(event_key=event.event_key, occurred_at=event.occurred_at) for event in events]
        await connection.execute(_REGISTER, *RegisteredKey.arrays(rows))


async def contacts_with_entries(connection: Connection, contact_ids: Sequence[int]) -> list[int]:
    """The contacts with rows in `entries`. They are few, so the keys of the others need not be looked up."""
    if not contact_ids:
        return []
    return [contact_id for (contact_id,) in await connection.fetch(_WITH_ENTRIES, id_array(contact_ids))]


async def known_in_months(connection: Connection, keys: Sequence[KeyInMonth]) -> set[bytes]:
    """The keys of calm events that are stored in a month, each looked up with its time."""
    return await _known(connection, _IN_MONTHS, KeyInMonth.arrays(keys)) if keys else set()


async def known_among_entries(connection: Connection, keys: Sequence[KeyOfContact]) -> set[bytes]:
    """The keys that are stored in `entries`."""
    return await _known(connection, _AMONG_ENTRIES, KeyOfContact.arrays(keys)) if keys else set()


async def known_among_kept(connection: Connection, keys: Sequence[KeyOfContact]) -> set[bytes]:
    """The keys of calm events that are kept beyond the retention."""
    return await _known(connection, _AMONG_KEPT, KeyOfContact.arrays(keys)) if keys else set()


async def known_by_former_keys(connection: Connection, keys: Sequence[FormerKey]) -> set[bytes]:
    """The keys that a former version has stored, with any first byte."""
    if not keys:
        return set()
    return await _known(connection, _BY_FORMER_KEY, [_FORMER_FIRST_BYTES, *FormerKey.arrays(keys)])


async def _known(connection: Connection, statement: str, parameters: list[list[Any]]) -> set[bytes]:
    return {key for (key,) in await connection.fetch(statement, *parameters)}


async def former_keys_until(executor: Executor) -> datetime | None:
    """Events that occurred before this moment may be stored by a former key; None if there are no such events.

    Raises StoreUnavailable.
    """
    with store_errors("asking for the form of event keys"):
        until: datetime | None = await executor.fetchval("SELECT max(until) FROM former_event_keys")
    return until

"""The rows of events: which are known already, and how new ones are written.

Events lie in months, `events`, where time and key find them. Those that outlive their month lie in `kept_events`,
where contact and key do. `arrival_dated_events` registers those that are known by their key alone.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from schemas.feedback_event import FeedbackEvent
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row

EventOfContact = tuple[FeedbackEvent, int | None]  # with its contact's id; None: it names nobody

# Columns that hold what the event says by the same name, and then those that do not: in the order of `_values`.
_SAID_BY_EVENT = (
    "occurred_at",
    "rank",
    "event_key",
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
    "metadata",
    "raw",
)
EVENT_COLUMNS = (*_SAID_BY_EVENT, "tags", "contact_id")
_said_by_event: Callable[[FeedbackEvent], tuple[Any, ...]] = operator.attrgetter(*_SAID_BY_EVENT)


class KeyInMonth(Row, frozen=True):
    """What is unique in the months."""

    occurred_at: datetime
    event_key: bytes


class KeyOfContact(Row, frozen=True):
    """What is unique among the events that outlive their month."""

    contact_id: int
    event_key: bytes


class FormerKey(Row, frozen=True):
    """An event's key, and one that a former version may have stored it under."""

    occurred_at: datetime
    event_key: bytes
    former_key: bytes
    contact_id: int | None  # None where nothing of its contact is stored


_KNOWN = f"""
    SELECT e.event_key
      FROM {KeyInMonth.unnest("k")}
      JOIN events e ON e.occurred_at = k.occurred_at AND e.event_key = k.event_key
"""  # noqa: S608 - the column list is made of the names above

_KEPT = f"""
    SELECT e.event_key
      FROM {KeyOfContact.unnest("k")}
      JOIN kept_events e ON e.contact_id = k.contact_id AND e.event_key = k.event_key
"""  # noqa: S608 - as above

# What the first byte of a key was while it told the place of the event's kind, and what it is today: the parts behind
# it may be a former version's too.
_FORMER_FIRST_BYTES = [*range(13), 0x80]
_KNOWN_BY_FORMER_KEY = f"""
    SELECT k.event_key
      FROM {FormerKey.unnest("k", first_parameter=2)}
     WHERE EXISTS (
            SELECT FROM unnest($1::integer[]) AS form (first_byte) JOIN events e
                ON e.occurred_at = k.occurred_at AND e.event_key = set_byte(k.former_key, 0, form.first_byte))
        OR EXISTS (
            SELECT FROM unnest($1::integer[]) AS form (first_byte) JOIN kept_events e
                ON e.contact_id = k.contact_id AND e.event_key = set_byte(k.former_key, 0, form.first_byte))
"""  # noqa: S608 - as above

# Events that name nobody have no contact whose lock would keep two writers apart: the primary keys do.
_INSERT_ONE = f"""
    INSERT INTO events ({", ".join(EVENT_COLUMNS)})
    VALUES ({", ".join(f"${place}" for place in range(1, len(EVENT_COLUMNS) + 1))})
    ON CONFLICT (occurred_at, event_key) DO NOTHING
    RETURNING 1
"""  # noqa: S608 - the column list is a constant above

_REGISTER = f"""
    INSERT INTO arrival_dated_events (event_key, occurred_at)
    SELECT n.event_key, n.occurred_at FROM {KeyInMonth.unnest("n")} ORDER BY n.event_key
"""  # noqa: S608 - as above
_REGISTER_NEW = f"{_REGISTER} ON CONFLICT (event_key) DO NOTHING RETURNING event_key"

_REGISTERED = """
    SELECT a.event_key
      FROM unnest($1::bytea[]) AS n (event_key) JOIN arrival_dated_events a ON a.event_key = n.event_key
"""


async def registered_keys(connection: Connection, keys: Sequence[bytes]) -> set[bytes]:
    """Those of the keys that are registered: their events are stored, whatever time is named now."""
    if not keys or not await connection.fetchval("SELECT EXISTS (SELECT FROM arrival_dated_events)"):
        return set()
    return {key for (key,) in await connection.fetch(_REGISTERED, keys)}


async def register(connection: Connection, events: Sequence[FeedbackEvent]) -> None:
    """Registers events whose key alone decides. Refused when one is registered already."""
    if events:
        await connection.execute(_REGISTER, *_keys_in_months(events))


async def register_new(connection: Connection, events: Sequence[FeedbackEvent]) -> set[bytes]:
    """Registers those of the events that are not registered, and gives their keys."""
    if not events:
        return set()
    return {key for (key,) in await connection.fetch(_REGISTER_NEW, *_keys_in_months(events))}


def _keys_in_months(events: Sequence[FeedbackEvent]) -> list[list[Any]]:
    return KeyInMonth.arrays([KeyInMonth(occurred_at=event.occurred_at, event_key=event.event_key) for event in events])


async def known_event_keys(connection: Connection, asked: Sequence[KeyInMonth]) -> set[bytes]:
    """The keys of those that are stored in a month, each asked for with the time that it would be stored under."""
    if not asked:
        return set()
    return {key for (key,) in await connection.fetch(_KNOWN, *KeyInMonth.arrays(asked))}


async def kept_event_keys(connection: Connection, asked: Sequence[KeyOfContact]) -> set[bytes]:
    """The keys of those that are kept beyond the retention."""
    if not asked:
        return set()
    return {key for (key,) in await connection.fetch(_KEPT, *KeyOfContact.arrays(asked))}


async def known_by_former_keys(connection: Connection, asked: Sequence[FormerKey]) -> set[bytes]:
    """The keys of those that a former version has stored, whichever first byte it gave them."""
    if not asked:
        return set()
    records = await connection.fetch(_KNOWN_BY_FORMER_KEY, _FORMER_FIRST_BYTES, *FormerKey.arrays(asked))
    return {key for (key,) in records}


async def former_keys_until(executor: Executor) -> datetime | None:
    """Events that occurred before this moment may be stored by a former key; None where none can be.

    Raises StoreUnavailable.
    """
    with store_errors("asking for the form of event keys"):
        until: datetime | None = await executor.fetchval("SELECT max(until) FROM former_event_keys")
    return until


async def copy_events(connection: Connection, events: Iterable[EventOfContact]) -> None:
    """Writes events that are known to be new. Refused when one is not."""
    await connection.copy_records_to_table("events", columns=EVENT_COLUMNS, records=map(_values, events))


async def copy_kept_events(connection: Connection, events: Iterable[EventOfContact]) -> None:
    """The same for events that are older than the retention and stay as long as their contact."""
    await connection.copy_records_to_table("kept_events", columns=EVENT_COLUMNS, records=map(_values, events))


async def insert_nameless_event(connection: Connection, event: FeedbackEvent) -> bool:
    """True when this event, which names no contact, was new."""
    return await connection.fetchval(_INSERT_ONE, *_values((event, None))) is not None


def _values(event_of_contact: EventOfContact) -> tuple[Any, ...]:
    """A row of `events` or `kept_events`, in the order of EVENT_COLUMNS."""
    event, contact_id = event_of_contact
    return (*_said_by_event(event), event.tags or None, contact_id)

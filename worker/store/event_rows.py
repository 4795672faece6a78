"""Writes the rows of events.

Entries whose order matters are in `entries`. Calm events are in months, `calm_events`, and those that outlive their
month in `kept_calm_events`. Events that name nobody are in `nameless_events`.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from schemas.feedback_event import READER_VERSION, FeedbackEvent
from schemas.kind_rank import KIND_RANKS
from schemas.raw_keeping import KeepRaw, is_evidence
from schemas.vocabulary import Cause
from worker.store.campaigns import Campaigns
from worker.store.dictionaries import RawCompressor
from worker.store.pool import Connection, Executor
from worker.store.words import Words

EventOfContact = tuple[FeedbackEvent, int | None]  # with its contact's id; None: it names nobody

# The columns that are fields of the event, and then the others, in the order of `values`.
_EVENT_FIELDS = {
    "entry_key": "event_key",
    **{
        name: name
        for name in (
            "occurred_at",
            "received_at",
            "delivery_id",
            "message_id",
            "smtp_code",
            "enhanced_status",
            "diagnostic",
            "scope",
            "machine",
            "metadata",
        )
    },
}
EVENT_COLUMNS = (
    *_EVENT_FIELDS,
    "contact_id",
    "rank",
    "reader_version",
    "tags",
    "cause",
    "provider",
    "source",
    "vendor_event",
    "beside",
    "raw",
    "dictionary_id",
)
_event_fields: Callable[[FeedbackEvent], tuple[Any, ...]] = operator.attrgetter(*_EVENT_FIELDS.values())

_NONE = Cause.NONE  # reading a member of an enumeration from its class calls a function in Python
_KEEPS_RAW: dict[KeepRaw, Callable[[FeedbackEvent], bool]] = {
    KeepRaw.FAILURES: is_evidence,
    KeepRaw.ALL: lambda _: True,
    KeepRaw.NONE: lambda _: False,
}

# Events that name nobody have no contact to lock, so their primary key keeps two writers apart.
_INSERT_NAMELESS = f"""
    INSERT INTO nameless_events ({", ".join(EVENT_COLUMNS)})
    VALUES ({", ".join(f"${place}" for place in range(1, len(EVENT_COLUMNS) + 1))})
    ON CONFLICT (entry_key) DO NOTHING
    RETURNING 1
"""  # noqa: S608 - the column list is a constant above


class EventEncoder:
    """Makes rows of events: words as ids, raw bytes compressed. It remembers the ids of one database."""

    def __init__(self, keep_raw: KeepRaw = KeepRaw.FAILURES, *, reader_version: int = READER_VERSION) -> None:
        self._keeps_raw = _KEEPS_RAW[keep_raw]
        self._reader_version = reader_version
        self.campaigns = Campaigns()
        self._words = Words()
        self._compressor = RawCompressor()

    def keep_raw(self, keep: KeepRaw) -> None:
        """Sets the events whose raw bytes are stored from now on."""
        self._keeps_raw = _KEEPS_RAW[keep]

    async def learn(self, executor: Executor, events: Sequence[FeedbackEvent]) -> None:
        """Gives new words and campaigns ids. Not in the transaction that stores the events (see Words.learn)."""
        await self.campaigns.learn(executor, events)
        await self._words.learn(executor, events)
        await self._compressor.look_up(executor, events)

    async def look_up(self, connection: Connection, events: Sequence[FeedbackEvent]) -> None:
        """Loads the ids of the events' words. Words without an id are stored beside their row."""
        await self._words.look_up(connection, events)
        await self._compressor.look_up(connection, events)

    def values(self, event_of_contact: EventOfContact) -> tuple[Any, ...]:
        """The row, in the order of EVENT_COLUMNS."""
        event, contact_id = event_of_contact
        words = self._words.of(event)
        cause, beside = None, words.beside
        if event.cause is not _NONE:  # nearly all events have no cause
            cause = self._words.id_of_cause(event.cause)
            if cause is None:
                beside = {**(beside or {}), "cause": event.cause.value}
        if event.way is not None:
            beside = {**(beside or {}), "way": event.way.value}
        raw = dictionary_id = None
        if event.raw and self._keeps_raw(event):
            raw, dictionary_id = self._compressor.compress(event.provider, event.raw)
        others = (
            contact_id,
            KIND_RANKS[event.kind],
            self._reader_version,
            event.tags or None,
            cause,
            words.provider,
            words.source,
            words.vendor_event,
            beside,
            raw,
            dictionary_id,
        )
        return _event_fields(event) + others  # unpacked into one tuple they would take twice as long

    async def copy(self, connection: Connection, table: str, events: Iterable[EventOfContact]) -> None:
        """Writes new events into one of the tables. Postgres refuses it if one of them is not new."""
        await connection.copy_records_to_table(table, columns=EVENT_COLUMNS, records=map(self.values, events))

    async def insert_nameless(self, connection: Connection, event: FeedbackEvent) -> bool:
        """True if this event, which names no contact, was new."""
        return await connection.fetchval(_INSERT_NAMELESS, *self.values((event, None))) is not None

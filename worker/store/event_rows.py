"""The rows of events, and how they are written.

Entries that take effect in their order lie in `entries`. Calm events lie in months, `calm_events`, and those of them
that outlive their month in `kept_calm_events`. Events that name nobody lie in `nameless_events`.
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

# Columns that hold what the event says, and then those that do not: in the order of `values`.
_SAID_BY_EVENT = {
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
    *_SAID_BY_EVENT,
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
_said_by_event: Callable[[FeedbackEvent], tuple[Any, ...]] = operator.attrgetter(*_SAID_BY_EVENT.values())

# A word of an enumeration is hashed by a function in Python, and read from its class by another: a batch has thousands.
_RANKS = {kind.value: rank for kind, rank in KIND_RANKS.items()}
_NONE = Cause.NONE
_RAW_KEPT: dict[KeepRaw, Callable[[FeedbackEvent], bool]] = {
    KeepRaw.FAILURES: is_evidence,
    KeepRaw.ALL: lambda _: True,
    KeepRaw.NONE: lambda _: False,
}

# Events that name nobody have no contact whose lock would keep two writers apart: the primary key does.
_INSERT_NAMELESS = f"""
    INSERT INTO nameless_events ({", ".join(EVENT_COLUMNS)})
    VALUES ({", ".join(f"${place}" for place in range(1, len(EVENT_COLUMNS) + 1))})
    ON CONFLICT (entry_key) DO NOTHING
    RETURNING 1
"""  # noqa: S608 - the column list is a constant above


class EventEncoder:
    """Makes rows of events: their words by ids, their raw bytes compressed. It remembers ids of one database."""

    def __init__(self, keep_raw: KeepRaw = KeepRaw.FAILURES, *, reader_version: int = READER_VERSION) -> None:
        self._keeps_raw = _RAW_KEPT[keep_raw]
        self._reader_version = reader_version
        self.campaigns = Campaigns()
        self._words = Words()
        self._compressor = RawCompressor()

    def keep_raw(self, keep: KeepRaw) -> None:
        """Which events' own words are stored from now on."""
        self._keeps_raw = _RAW_KEPT[keep]

    async def learn(self, executor: Executor, events: Sequence[FeedbackEvent]) -> None:
        """New words and campaigns get ids. Outside the transaction that stores the events (see Words.learn)."""
        await self.campaigns.learn(executor, events)
        await self._words.learn(executor, events)
        await self._compressor.look_up(executor, events)

    async def look_up(self, connection: Connection, events: Sequence[FeedbackEvent]) -> None:
        """As far as words of the events have ids, these are known. What has none is stored beside its row."""
        await self._words.look_up(connection, events)
        await self._compressor.look_up(connection, events)

    def values(self, event_of_contact: EventOfContact) -> tuple[Any, ...]:
        """The row, in the order of EVENT_COLUMNS."""
        event, contact_id = event_of_contact
        named = self._words.of(event)
        cause, beside = None, named.beside
        if event.cause is not _NONE:  # nearly all events have nothing to explain, and no word for it
            cause = self._words.id_of_cause(event.cause)
            if cause is None:
                beside = {**(beside or {}), "cause": event.cause.value}
        if event.way is not None:
            beside = {**(beside or {}), "way": event.way.value}
        raw = dictionary_id = None
        if event.raw and self._keeps_raw(event):
            raw, dictionary_id = self._compressor.compress(event.provider, event.raw)
        return (
            *_said_by_event(event),
            contact_id,
            _RANKS[event.kind._value_],
            self._reader_version,
            event.tags or None,
            cause,
            named.provider,
            named.source,
            named.vendor_event,
            beside,
            raw,
            dictionary_id,
        )

    async def copy(self, connection: Connection, table: str, events: Iterable[EventOfContact]) -> None:
        """Writes events that are known to be new into one of the tables. Refused if one is not."""
        await connection.copy_records_to_table(table, columns=EVENT_COLUMNS, records=map(self.values, events))

    async def insert_nameless(self, connection: Connection, event: FeedbackEvent) -> bool:
        """True if this event, which names no contact, was new."""
        return await connection.fetchval(_INSERT_NAMELESS, *self.values((event, None))) is not None

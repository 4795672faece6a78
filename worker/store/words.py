"""Words of the log by their ids: providers, sources, causes, vendors' names of events.

Ids never change, so that a process remembers all that it has met. What an odd vendor can add is limited: names of
events that are too long, or too many of one provider, get no id and are stored beside their row.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from worker.store.pool import Executor, store_errors

MOST_EVENT_NAMES = 2_000  # of one provider
LONGEST_WORD = 120  # characters
# Of what got no id this process remembers so much, so as not to ask for it with each batch.
_MOST_WITHOUT_ID = 20_000

_IDS = "SELECT id, word FROM words WHERE word = ANY ($1::text[])"
# Those that are there already are left out first: ON CONFLICT alone would use up ids.
_INSERT = """
    INSERT INTO words (word, brought_by)
    SELECT word, $2 FROM unnest($1::text[]) AS w (word)
     WHERE NOT EXISTS (SELECT FROM words k WHERE k.word = w.word)
     ORDER BY word
     LIMIT $3
    ON CONFLICT (word) DO NOTHING
"""
_BROUGHT = "SELECT count(*) FROM words WHERE brought_by = $1"


class NamedBy(Struct, frozen=True, kw_only=True, gc=False):
    """The ids of what an event names beside its cause; None of what has no id, which is in `beside` then."""

    provider: int | None
    source: int | None
    vendor_event: int | None
    beside: Mapping[str, str] | None


_Names = tuple[str, str, str]  # an event's provider, source and vendor_event


class Words:
    """What this process knows of the words of one database."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self._of_names: dict[_Names, NamedBy] = {}
        self._without_id: set[str] = set()

    async def learn(self, executor: Executor, events: Iterable[FeedbackEvent]) -> None:
        """Every word of the events that may have an id has one, and is known here.

        Call it outside the transaction that stores the events: whoever adds a word holds up all others who add the
        same, and an id that is rolled back must not be remembered. Raises StoreUnavailable.
        """
        names = self._unknown(events)
        if not names:
            return
        with store_errors("looking up the words of events"):
            await self._look_up(executor, names)
            said = {word for provider, source, _ in names for word in (provider, source)}
            unnamed = {word for word in said if not self._is_settled(word)}
            if unnamed:
                await executor.execute(_INSERT, sorted(unnamed), None, len(unnamed))
            by_provider: dict[str, set[str]] = {}
            for provider, _, vendor_event in names:
                if not self._is_settled(vendor_event):
                    by_provider.setdefault(provider, set()).add(vendor_event)
            for provider, event_names in by_provider.items():
                room = MOST_EVENT_NAMES - int(await executor.fetchval(_BROUGHT, provider) or 0)
                if room > 0:
                    await executor.execute(_INSERT, sorted(event_names), provider, room)
            await self._look_up(executor, names)
        if len(self._without_id) > _MOST_WITHOUT_ID:
            self._without_id.clear()
            self._of_names.clear()
        self._without_id.update(word for three in names for word in three if word not in self.ids)

    async def look_up(self, executor: Executor, events: Iterable[FeedbackEvent]) -> None:
        """Words of the events that have an id are known here. Adds none."""
        if names := self._unknown(events):
            await self._look_up(executor, names)

    def of(self, event: FeedbackEvent) -> NamedBy:
        """How the event's words are stored."""
        names = (event.provider, event.source, event.vendor_event)
        known = self._of_names.get(names)
        if known is None:
            known = self._named_by(names)
            if all(map(self._is_settled, names)):
                self._of_names[names] = known
        return known

    def _unknown(self, events: Iterable[FeedbackEvent]) -> set[_Names]:
        known = self._of_names
        return {names for event in events if (names := (event.provider, event.source, event.vendor_event)) not in known}

    def _is_settled(self, word: str) -> bool:
        return word in self.ids or word in self._without_id or len(word) > LONGEST_WORD

    async def _look_up(self, executor: Executor, names: Collection[_Names]) -> None:
        wanted = {word for three in names for word in three if len(word) <= LONGEST_WORD} - self.ids.keys()
        if not self.ids:
            records = await executor.fetch("SELECT id, word FROM words WHERE brought_by IS NULL")
            self.ids.update((word, number) for number, word in records)
        if wanted:
            self.ids.update((word, number) for number, word in await executor.fetch(_IDS, sorted(wanted)))

    def _named_by(self, names: _Names) -> NamedBy:
        columns = dict(zip(("provider", "source", "vendor_event"), names, strict=True))
        ids = {column: self.ids.get(word) for column, word in columns.items()}
        beside = {column: columns[column] for column, number in ids.items() if number is None}
        fields: dict[str, Any] = ids
        return NamedBy(**fields, beside=beside or None)

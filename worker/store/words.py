"""The ids of words in the log: providers, sources, causes, vendors' names of events.

Ids never change, so a process remembers those that it has met. The names that an odd vendor can add are limited: names
of events that are too long, or too many of one provider, get no id and are stored beside their row.
"""

import operator
from collections.abc import Callable, Collection, Iterable, Mapping

import asyncpg
from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause
from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors
from worker.store.row import Row

MOST_EVENT_NAMES = 2_000  # of one provider
LONGEST_WORD = 120  # characters
# How many words without an id this process remembers, so that it does not look them up for each batch.
_MOST_WITHOUT_ID = 20_000


class _NewWord(Row, frozen=True):
    word: str
    brought_by: str  # the provider whose event it names, or NOBODYS


class _StoredWord(_NewWord, frozen=True):
    id: int


# Existing words are left out first: ON CONFLICT alone would use up ids.
_INSERT = NamedStatement("""
    INSERT INTO words (word, brought_by)
    SELECT word, :brought_by FROM unnest(:new::text[]) AS w (word)
     WHERE NOT EXISTS (SELECT FROM words k WHERE k.word = w.word AND k.brought_by = :brought_by)
     ORDER BY word
     LIMIT :most
    ON CONFLICT (word, brought_by) DO NOTHING
""")
_IDS = f"""
    SELECT {_StoredWord.select_list("k")} FROM {_NewWord.unnest("w")}
      JOIN words k ON k.word = w.word AND k.brought_by = w.brought_by
"""  # noqa: S608 - the column list is made of the names above
_NAMES = f"SELECT {_StoredWord.select_list()} FROM words WHERE brought_by = ''"  # noqa: S608 - as above
_BROUGHT = "SELECT count(*) FROM words WHERE brought_by = $1"
NOBODYS = ""  # the `brought_by` of causes, providers and sources


class NamedBy(Struct, frozen=True, kw_only=True, gc=False):
    """How the words of an event are stored, apart from its cause: by ids, or in `beside`.

    The name of an event tells its provider.
    """

    provider: int | None
    source: int | None
    vendor_event: int | None
    beside: Mapping[str, str] | None


_Word = tuple[str, str]  # the word, and the provider whose event it names
_Names = tuple[str, str, str]  # an event's provider, source and vendor_event
_names: Callable[[FeedbackEvent], _Names] = operator.attrgetter("provider", "source", "vendor_event")


class Words:
    """The words of one database that this process knows."""

    def __init__(self) -> None:
        self._ids: dict[_Word, int] = {}
        self._of_names: dict[_Names, NamedBy] = {}
        self._without_id: set[_Word] = set()

    async def learn(self, executor: Executor, events: Iterable[FeedbackEvent]) -> None:
        """Gives every word of the events that may have an id one, and remembers it.

        Call it outside the transaction that stores the events: adding a word holds up all others who add the same
        word, and an id that is rolled back must not be remembered. Raises StoreUnavailable.
        """
        words = _words_of(self._unknown(events))
        if not words:
            return
        with store_errors("looking up the words of events"):
            await self._look_up(executor, words)
            by_provider: dict[str, list[str]] = {}
            for word, brought_by in words:
                if not self._is_settled((word, brought_by)):
                    by_provider.setdefault(brought_by, []).append(word)
            for brought_by, new in by_provider.items():
                room = len(new)
                if brought_by != NOBODYS:
                    room = MOST_EVENT_NAMES - int(await executor.fetchval(_BROUGHT, brought_by) or 0)
                if room > 0:
                    await executor.execute(*_INSERT(new=sorted(new), brought_by=brought_by, most=room))
            await self._look_up(executor, words)
        if len(self._without_id) > _MOST_WITHOUT_ID:
            self._without_id.clear()
            self._of_names.clear()
        self._without_id.update(words - self._ids.keys())

    async def look_up(self, executor: Executor, events: Iterable[FeedbackEvent]) -> None:
        """Loads the ids of the events' words. Adds none."""
        if words := _words_of(self._unknown(events)):
            await self._look_up(executor, words)

    def of(self, event: FeedbackEvent) -> NamedBy:
        """How the event's words are stored."""
        names = _names(event)
        known = self._of_names.get(names)
        if known is None:
            known = self._named_by(names)
            if all(map(self._is_settled, _words_of([names]))):
                self._of_names[names] = known
        return known

    def id_of_cause(self, cause: Cause) -> int | None:
        """The cause's id; None if it has none."""
        return self._ids.get((cause, NOBODYS))

    def _unknown(self, events: Iterable[FeedbackEvent]) -> set[_Names]:
        return {*map(_names, events)}.difference(self._of_names)

    def _is_settled(self, word: _Word) -> bool:
        return word in self._ids or word in self._without_id or len(word[0]) > LONGEST_WORD

    async def _look_up(self, executor: Executor, words: Collection[_Word]) -> None:
        if not self._ids:
            self._take(await executor.fetch(_NAMES))
        missing = [
            _NewWord(word=word, brought_by=brought_by)
            for word, brought_by in words
            if (word, brought_by) not in self._ids and len(word) <= LONGEST_WORD
        ]
        if missing:
            self._take(await executor.fetch(_IDS, *_NewWord.arrays(missing)))

    def _take(self, records: Iterable[asyncpg.Record]) -> None:
        self._ids.update(((row.word, row.brought_by), row.id) for row in _StoredWord.rows(records))

    def _named_by(self, names: _Names) -> NamedBy:
        provider, source, vendor_event = names
        of_event = self._ids.get((vendor_event, provider))
        of_source = self._ids.get((source, NOBODYS))
        of_provider = None if of_event is not None else self._ids.get((provider, NOBODYS))
        beside: dict[str, str] = {}
        if of_event is None:
            beside["vendor_event"] = vendor_event
            if of_provider is None:
                beside["provider"] = provider
        if of_source is None:
            beside["source"] = source
        return NamedBy(provider=of_provider, source=of_source, vendor_event=of_event, beside=beside or None)


def _words_of(several: Iterable[_Names]) -> set[_Word]:
    return {
        word
        for provider, source, vendor_event in several
        for word in ((provider, NOBODYS), (source, NOBODYS), (vendor_event, provider))
    }

"""Words of the log have ids, and no vendor can make them without end."""

import asyncio
from collections.abc import Iterable

import pytest

from schemas.decision import DECISION_RANKS
from schemas.feedback_event import FeedbackEvent
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Cause, Kind
from tests.schemas.feedback_events import make_event
from worker.store import words as store_words
from worker.store.pool import Pool, WriterPool
from worker.store.words import LONGEST_WORD, Words
from worker.store.writer_pool import writing


def saying(*vendor_events: str, provider: str = "postmark") -> list[FeedbackEvent]:
    return [make_event(Kind.OTHER, vendor_event=said, provider=provider) for said in vendor_events]


async def stored_words(pool: Pool) -> set[str]:
    return {word for (word,) in await pool.fetch("SELECT word FROM words")}


def beside(words: Words, events: Iterable[FeedbackEvent]) -> list[object]:
    return [words.of(event).beside for event in events]


async def test_kinds_and_causes_are_there_from_the_start(pool: Pool) -> None:
    assert {cause.value for cause in Cause} <= await stored_words(pool)
    ranks = {row["rank"]: row["kind"] for row in await pool.fetch("SELECT rank, kind FROM kinds")}
    assert ranks == {rank: kind.value for kind, rank in (*KIND_RANKS.items(), *DECISION_RANKS.items())}


async def test_a_word_gets_one_id_however_many_processes_meet_it_at_once(pool: Pool) -> None:
    processes = [Words() for _ in range(4)]
    events = saying(*(f"event {number}" for number in range(50)))
    await asyncio.gather(*(words.learn(pool, events) for words in processes))
    first, *others = [[words.of(event) for event in events] for words in processes]
    assert all(other == first for other in others)
    assert all(named.beside is None for named in first)


async def test_a_batch_that_is_rolled_back_leaves_its_words_as_they_were_learned(pool: WriterPool) -> None:
    words, (event,) = Words(), saying("new")
    await words.learn(pool, [event])
    with pytest.raises(RuntimeError):
        async with writing(pool):
            raise RuntimeError("rolled back")
    assert await pool.fetchval("SELECT word FROM words WHERE id = $1", words.of(event).vendor_event) == "new"


async def test_what_has_no_id_yet_is_stored_beside_and_learned_later(pool: Pool) -> None:
    words, events = Words(), saying("unheard of")
    await words.look_up(pool, events)
    assert beside(words, events) == [{"provider": "postmark", "vendor_event": "unheard of"}]
    await words.learn(pool, events)
    assert beside(words, events) == [None]


async def test_a_long_name_gets_no_id(pool: Pool) -> None:
    long, short = "x" * (LONGEST_WORD + 1), "x" * LONGEST_WORD
    words, events = Words(), saying(long, short)
    await words.learn(pool, events)
    assert beside(words, events) == [{"vendor_event": long}, None]
    assert long not in await stored_words(pool)


async def test_a_vendor_with_ever_new_names_adds_so_many_and_no_more_and_holds_up_no_other(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_words, "MOST_EVENT_NAMES", 30)
    words = Words()
    for number in range(0, 60, 12):
        await words.learn(pool, saying(*(f"odd {place}" for place in range(number, number + 12))))
    other = saying("sound", provider="mailgun")
    await words.learn(pool, other)
    assert sum(word.startswith("odd ") for word in await stored_words(pool)) == 30
    assert beside(words, other) == [None]
    assert beside(words, saying("odd 59")) == [{"vendor_event": "odd 59"}]


async def test_what_is_known_is_not_asked_for_again(pool: Pool) -> None:
    words, events = Words(), saying("bounce", "x" * 500)
    await words.learn(pool, events)
    async with pool.acquire() as connection:
        await connection.execute("BEGIN; LOCK TABLE words IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(5):
            await words.learn(pool, events)
        await connection.execute("ROLLBACK")


async def test_ids_are_not_used_up_by_words_that_are_there(pool: Pool) -> None:
    for _ in range(20):
        await Words().learn(pool, saying("same"))
    before = await pool.fetchval("SELECT max(id) FROM words")
    await Words().learn(pool, saying("another"))
    assert await pool.fetchval("SELECT max(id) FROM words") == before + 1


async def test_two_providers_may_have_one_name_for_their_events(pool: Pool) -> None:
    words = Words()
    events = [*saying("bounce"), *saying("bounce", provider="mailgun")]
    await words.learn(pool, events)
    first, second = (words.of(event) for event in events)
    assert first.vendor_event != second.vendor_event
    assert (first.provider, second.provider) == (None, None)  # the names tell them

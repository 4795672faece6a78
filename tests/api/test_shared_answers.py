"""What is costly to answer is answered once for all who ask the same at about the same time."""

import asyncio

import pytest

from tests.waiting import until
from worker.api.shared_answers import SharedAnswers
from worker.errors import StoreUnavailable

A_WHILE = 3600.0


class Kitchen:
    """Makes answers when it is told to, and counts what is under way."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.under_way = self.most_under_way = 0
        self.may_end = asyncio.Event()
        self.fails = False

    async def make(self, question: str) -> bytes:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.may_end.wait()
        self.under_way -= 1
        self.made.append(question)
        if self.fails:
            raise StoreUnavailable("Postgres is away")
        return question.encode()


@pytest.fixture
async def kitchen() -> Kitchen:
    return Kitchen()


async def test_who_asks_while_an_answer_is_made_gets_that_one(kitchen: Kitchen) -> None:
    answers = SharedAnswers(kitchen.make, at_once=2, fresh_seconds=A_WHILE)
    asked = [asyncio.create_task(answers.body(question)) for question in ("a", "b") for _ in range(10)]
    kitchen.may_end.set()
    assert await asyncio.gather(*asked) == [b"a"] * 10 + [b"b"] * 10
    assert sorted(kitchen.made) == ["a", "b"]


async def test_no_more_are_made_at_once_than_may_be(kitchen: Kitchen) -> None:
    answers = SharedAnswers(kitchen.make, at_once=2)
    asked = [asyncio.create_task(answers.body(str(number))) for number in range(20)]
    await until(lambda: kitchen.under_way == 2, "two answers are being made")
    kitchen.may_end.set()
    await asyncio.gather(*asked)
    assert (len(kitchen.made), kitchen.most_under_way) == (20, 2)


async def test_a_failure_is_told_to_all_who_wait_and_stands_as_long_as_an_answer(kitchen: Kitchen) -> None:
    kitchen.fails = True
    kitchen.may_end.set()
    answers = SharedAnswers(kitchen.make, at_once=2, fresh_seconds=A_WHILE)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="away"):
            await answers.body("a")
    assert kitchen.made == ["a"]


async def test_an_answer_that_no_longer_stands_is_made_anew(kitchen: Kitchen) -> None:
    kitchen.may_end.set()
    answers = SharedAnswers(kitchen.make, at_once=2, fresh_seconds=-A_WHILE)
    before = len(kitchen.made)
    while len(kitchen.made) < before + 2:  # it stands for ten times the microseconds that it took to make
        assert await answers.body("a") == b"a"


async def test_one_that_gives_up_waiting_takes_the_answer_from_nobody(kitchen: Kitchen) -> None:
    answers = SharedAnswers(kitchen.make, at_once=1, fresh_seconds=A_WHILE)
    first, second = (asyncio.create_task(answers.body("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    kitchen.may_end.set()
    assert await second == b"a"

"""Waiting in tests, which all other tests rely on."""

import asyncio
import itertools

import pytest

from tests.waiting import stays, stays_meanwhile, until, wait_until


async def test_the_first_true_answer_is_given_back_whether_it_is_awaited_or_not() -> None:
    numbers = itertools.count()

    async def next_number() -> int:
        return next(numbers)

    assert await until(lambda: next(numbers), "a number above zero") == 1
    assert await until(next_number, "another number") == 2
    assert wait_until(lambda: next(numbers), "one more number") == 3


async def test_what_does_not_come_is_named_with_what_there_is_instead() -> None:
    with pytest.raises(AssertionError, match=r"waited 0\.1 s for a line, in vain\nno line at all"):
        await until(lambda: False, "a line", seconds=0.1, show=lambda: "no line at all")
    with pytest.raises(AssertionError, match=r"waited 0\.1 s for a line, in vain\nno line at all"):
        wait_until(lambda: False, "a line", seconds=0.1, show=lambda: "no line at all")


async def test_a_condition_that_hangs_ends_at_the_deadline() -> None:
    with pytest.raises(AssertionError, match="waited"):
        await until(asyncio.Event().wait, "an event that nobody sets", seconds=0.1)


async def test_only_the_named_exceptions_mean_not_yet() -> None:
    answers = iter([OSError("refused"), KeyError("broken")])

    def fails() -> bool:
        raise next(answers)

    with pytest.raises(KeyError, match="broken"):
        await until(fails, "an answer", not_yet=OSError)
    answers = iter([OSError("refused"), KeyError("broken")])
    with pytest.raises(KeyError, match="broken"):
        wait_until(fails, "an answer", not_yet=OSError)


async def test_a_timeout_of_the_condition_itself_is_not_taken_for_the_deadline() -> None:
    def fails() -> bool:
        raise TimeoutError("the server does not answer")

    with pytest.raises(TimeoutError, match="the server does not answer"):
        await until(fails, "an answer")


async def test_a_state_that_ends_is_noticed_before_the_time_is_over() -> None:
    answers = iter([True, True, False])
    with pytest.raises(AssertionError, match="no longer so: it is quiet"):
        await stays(lambda: next(answers), "it is quiet", seconds=60)
    await stays(lambda: True, "it is quiet", seconds=0.05)
    answers = iter([True, True, False])
    with pytest.raises(AssertionError, match="no longer so: it is quiet"):
        stays_meanwhile(lambda: next(answers), "it is quiet", seconds=60)
    stays_meanwhile(lambda: True, "it is quiet", seconds=0.05)

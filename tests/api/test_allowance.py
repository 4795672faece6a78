"""Bytes that many requests share: never too many are taken, and everybody gets his turn."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.api.allowance import Allowance


async def turn(allowance: Allowance, size: int) -> "asyncio.Task[None]":
    """Somebody who asks for so much, having begun to wait where he must."""
    task = asyncio.create_task(allowance.take(size))
    await asyncio.sleep(0)
    return task


async def test_what_fits_is_taken_at_once_and_what_does_not_is_refused() -> None:
    allowance = Allowance(10)
    assert allowance.take_now(6)
    assert not allowance.take_now(5)
    assert allowance.take_now(4)
    allowance.give_back(6)
    assert allowance.take_now(5)
    assert allowance.held == 9


async def test_what_is_larger_than_everything_goes_alone() -> None:
    allowance = Allowance(10)
    assert allowance.take_now(1_000)
    assert not allowance.take_now(1)
    allowance.give_back(1_000)
    assert allowance.take_now(1)
    assert not allowance.take_now(1_000)


async def test_turns_come_in_the_order_of_arrival_and_nobody_is_overtaken() -> None:
    allowance = Allowance(10)
    assert allowance.take_now(8)
    large, small = await turn(allowance, 6), await turn(allowance, 1)
    assert not allowance.take_now(1)
    assert (large.done(), small.done(), allowance.waiting) == (False, False, 2)
    allowance.give_back(8)
    await asyncio.gather(large, small)
    assert (allowance.held, allowance.waiting) == (7, 0)


async def test_who_gives_up_makes_way_for_the_next() -> None:
    allowance = Allowance(10)
    assert allowance.take_now(8)
    large, small = await turn(allowance, 6), await turn(allowance, 2)
    large.cancel()
    await small
    assert (allowance.held, allowance.waiting) == (10, 0)


async def test_who_gives_up_as_his_turn_comes_keeps_nothing() -> None:
    allowance = Allowance(10)
    assert allowance.take_now(10)
    first, second = await turn(allowance, 10), await turn(allowance, 10)
    allowance.give_back(10)
    first.cancel()
    await second
    assert first.cancelled()
    assert allowance.held == 10


@given(
    st.lists(
        st.tuples(st.integers(1, 15), st.integers(0, 3), st.sampled_from(["waits", "gives up", "times out"])),
        max_size=30,
    )
)
def test_whatever_comes_at_once_no_more_is_held_than_there_is(
    asks: list[tuple[int, int, str]],
) -> None:
    async def everybody() -> None:
        allowance = Allowance(10)
        most_held = 0

        async def one(size: int, turns: int, how: str) -> None:
            nonlocal most_held
            async with asyncio.timeout(0 if how == "times out" else None):
                await allowance.take(size)
            try:
                most_held = max(most_held, allowance.held if size <= 10 else 0)
                assert allowance.held == size or allowance.held <= 10
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                allowance.give_back(size)

        tasks = [asyncio.create_task(one(*ask)) for ask in asks]
        await asyncio.sleep(0)
        for task, (_, _, how) in zip(tasks, asks, strict=True):
            if how == "gives up":
                task.cancel()
        for task in tasks:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await task
        assert (allowance.held, allowance.waiting) == (0, 0)
        assert most_held <= 10

    asyncio.run(everybody())


async def test_many_may_give_up_in_the_same_moment() -> None:
    allowance = Allowance(10)
    assert allowance.take_now(10)

    async def wait() -> None:
        async with asyncio.timeout(0.01):
            await allowance.take(10)

    tasks = [asyncio.create_task(wait()) for _ in range(20)]
    for task in tasks:
        with pytest.raises(TimeoutError):
            await task
    assert (allowance.held, allowance.waiting) == (10, 0)

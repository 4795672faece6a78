"""An answer comes in time or not at all, and what nobody waits for any more is heard no more of."""

import asyncio
import gc
from typing import Any

import pytest

from worker.errors import StoreUnavailable
from worker.process.deadline import answer_within


async def answer(after: asyncio.Event) -> str:
    await after.wait()
    return "here"


async def failure(after: asyncio.Event) -> str:
    await after.wait()
    raise StoreUnavailable("Postgres is away")


async def test_an_answer_in_time_is_given_and_a_failure_raised() -> None:
    at_once = asyncio.Event()
    at_once.set()
    assert await answer_within(60, answer(at_once)) == "here"
    with pytest.raises(StoreUnavailable, match="away"):
        await answer_within(60, failure(at_once))


async def test_after_the_time_nobody_waits() -> None:
    with pytest.raises(TimeoutError):
        await answer_within(0.01, answer(asyncio.Event()))


async def unheard_after(turns: int) -> list[dict[str, Any]]:
    """What the loop's handler of exceptions is told when the asker is cancelled so many turns after the failure."""
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    now = asyncio.Event()
    asking = asyncio.create_task(answer_within(60, failure(now)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    now.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises((asyncio.CancelledError, StoreUnavailable)):
        await asking
    del asking
    gc.collect()
    await asyncio.sleep(0)
    return unheard


@pytest.mark.parametrize("turns", range(6))
def test_a_failure_that_meets_a_cancellation_is_no_line_in_the_log(turns: int) -> None:
    """In one of these turns of the loop the question has failed and whoever asked does not know it yet."""
    assert not asyncio.run(unheard_after(turns))  # a loop of its own: another test's tasks are no concern of it

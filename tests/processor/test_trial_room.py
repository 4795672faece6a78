"""One is alone, or many are together."""

import asyncio

import pytest

from tests.waiting import pause, stays
from worker.processor.trial_room import TrialRoom


async def test_many_are_together_and_one_waits_until_all_have_left() -> None:
    room, alone = TrialRoom(), asyncio.Event()

    async def be_alone() -> None:
        async with room.alone():
            alone.set()
            await pause(0.05, "whoever waits finds it taken")

    await room.enter()
    await room.enter()
    waiting = asyncio.create_task(be_alone())
    room.leave()
    await stays(lambda: not alone.is_set(), "one is still there", seconds=0.05)
    room.leave()
    async with asyncio.timeout(1):
        await waiting


async def test_whoever_comes_later_waits_for_the_one_who_wants_to_be_alone() -> None:
    room, order = TrialRoom(), list[str]()

    async def be_alone() -> None:
        async with room.alone():
            order.append("alone")

    async def work() -> None:
        await room.enter()
        order.append("together")
        room.leave()

    await room.enter()
    alone = asyncio.create_task(be_alone())
    await asyncio.sleep(0)
    later = asyncio.create_task(work())
    await stays(lambda: not order, "nobody has his turn", seconds=0.05)
    room.leave()
    async with asyncio.timeout(1):
        await asyncio.gather(alone, later)
    assert order == ["alone", "together"]


async def test_a_mistake_of_the_one_who_is_alone_locks_nobody_out() -> None:
    room = TrialRoom()
    with pytest.raises(LookupError):
        async with room.alone():
            raise LookupError
    async with asyncio.timeout(1):
        await room.enter()

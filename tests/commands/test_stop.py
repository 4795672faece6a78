"""Whoever is asked to end while it starts cancels what it starts; whoever has started finishes."""

import asyncio

import pytest

from worker.commands.support.running import Interrupted, Stop


async def test_what_is_started_in_peace_gives_its_result() -> None:
    async def starting() -> int:
        return 7

    assert await Stop().unless_set(starting()) == 7


async def test_what_fails_to_start_fails_as_it_would_alone() -> None:
    async def starting() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await Stop().unless_set(starting())


async def test_what_is_being_started_is_cancelled_and_has_ended_when_the_interruption_comes_out() -> None:
    stop, ended = Stop(), []

    async def starting() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # as whoever ends a server does
            ended.append("server")

    with pytest.raises(Interrupted):
        await stop.unless_set(starting())
    assert ended == ["server"]


async def test_what_begins_after_the_signal_is_not_begun() -> None:
    stop = Stop()
    stop.set()

    async def starting() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Interrupted):
        await stop.unless_set(starting())


async def test_only_while_something_starts_there_is_nothing_to_finish() -> None:
    stop = Stop()

    async def starting() -> bool:
        return stop.finishes

    assert stop.finishes
    assert not await stop.unless_set(starting())
    assert stop.finishes

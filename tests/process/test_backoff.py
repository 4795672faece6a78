"""Waits between tries grow, have an end, and are cut short by a stop."""

import asyncio
import time

from worker.process.backoff import Backoff


def test_each_failure_waits_twice_as_long_until_the_longest_wait() -> None:
    backoff = Backoff(first_seconds=0.5, longest_seconds=3)
    assert [backoff.failed() for _ in range(5)] == [0.5, 1, 2, 3, 3]


def test_a_success_makes_the_next_failure_the_first_one() -> None:
    backoff = Backoff(first_seconds=1, longest_seconds=60)
    backoff.failed()
    backoff.failed()
    backoff.succeeded()
    assert backoff.failed() == 1


async def test_a_stop_cuts_the_wait_short() -> None:
    stop = asyncio.Event()
    backoff = Backoff(first_seconds=60, longest_seconds=60)
    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(backoff.wait(stop))
        tasks.create_task(asyncio.to_thread(lambda: None))
        stop.set()
    assert time.monotonic() - started < 10

"""A genuine caller of a port: it asks at fixed times, whatever becomes of its questions before, and measures."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

import aiohttp
from msgspec import Struct

from tests.waiting import pause

_ASK_EVERY_SECONDS = 0.05
_GIVEN_UP_SECONDS = 20.0

Ask = Callable[[aiohttp.ClientSession], Awaitable[bool]]


class Figures(Struct, frozen=True, kw_only=True):
    """How a caller fared."""

    seconds: list[float]  # of each question that was answered well
    failed: int

    @property
    def p99_seconds(self) -> float:
        """The time within which 99 of 100 were answered; infinite when none was."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else float("inf")

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        if not self.seconds:
            return f"none answered{failed}"
        p50, p99 = statistics.median(self.seconds), self.p99_seconds
        return f"p50 {p50 * 1000:.0f}, p99 {p99 * 1000:.0f}, longest {max(self.seconds) * 1000:.0f} ms{failed}"


async def ask_all_the_while(ask: Ask, seconds: float, *, address: str) -> Figures:
    """Asks from this address for so long, alternately on a new connection and on one that is kept."""
    took: list[float] = []
    failed = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal failed
        started = time.perf_counter()
        try:
            well = await ask(session)
        except (aiohttp.ClientError, TimeoutError):
            well = False
        if well:
            took.append(time.perf_counter() - started)
        else:
            failed += 1

    timeout = aiohttp.ClientTimeout(total=_GIVEN_UP_SECONDS)
    place = (address, 0)
    async with (
        aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(local_addr=place, force_close=True)
        ) as new,
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(local_addr=place)) as kept,
        asyncio.TaskGroup() as group,
    ):
        for number in range(int(seconds / _ASK_EVERY_SECONDS)):
            group.create_task(one(kept if number % 2 else new))
            await pause(_ASK_EVERY_SECONDS, "the pace of a genuine caller")
    return Figures(seconds=took, failed=failed)

"""Counts the work under way, so that closing can wait for it."""

import asyncio
from types import TracebackType


class UnderWay:
    """`with under_way: ...` around each piece of work; `await under_way.nothing()` before closing."""

    def __init__(self) -> None:
        self._count = 0
        self._nothing = asyncio.Event()
        self._nothing.set()

    def __enter__(self) -> None:
        self._count += 1
        self._nothing.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._count -= 1
        if not self._count:
            self._nothing.set()

    async def nothing(self) -> None:
        """Returns once nothing is under way."""
        await self._nothing.wait()

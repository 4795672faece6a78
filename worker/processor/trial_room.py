"""The lock around work on loads: many loads at a time, or a single suspicious parcel alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TrialRoom:
    """Shared by a process. A task that wants to be alone waits for the tasks inside, and enters before later ones."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = asyncio.Lock()
        self._changed = asyncio.Event()

    async def enter(self) -> None:
        """Returns when the caller may work beside others. The caller must `leave`."""
        async with self._alone:
            self._inside += 1

    def leave(self) -> None:
        """The caller has finished."""
        self._inside -= 1
        self._changed.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Inside the block, nothing else is worked on."""
        async with self._alone:
            while self._inside:
                self._changed.clear()
                await self._changed.wait()
            yield

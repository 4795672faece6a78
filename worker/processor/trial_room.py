"""Where loads are worked on: many together, or one parcel that is under suspicion, alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TrialRoom:
    """One for a process. Whoever wants to be alone goes before those who come later, and waits for those inside."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = asyncio.Lock()
        self._changed = asyncio.Event()

    async def enter(self) -> None:
        """Returns when the caller may work beside others; he has to leave."""
        async with self._alone:
            self._inside += 1

    def leave(self) -> None:
        """The caller has ended his work."""
        self._inside -= 1
        self._changed.set()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Nobody else is in the room inside the block."""
        async with self._alone:
            while self._inside:
                self._changed.clear()
                await self._changed.wait()
            yield

"""Bodies that would hold up the event loop: unfolded and judged in threads, a few at a time, within a room of memory.

What is read of a body before it is proved is bounded by its provider (worker.providers.provider.Provider); this bounds
how much of it happens at once. Small plain bodies never come here.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from worker.errors import TryAgainLater
from worker.providers.verdict import Refused
from worker.receiver.body import unproven_too_large
from worker.receiver.content_coding import TOO_LARGE, is_plain, is_ratio_limit, most_unfolded, unfold

_THREADS = 2
# A body exists several times until the queue has it: as it came, unfolded, in its envelope, in its parcel, on the wire.
_LARGEST_BODIES_AT_ONCE = 1.5

_Result = TypeVar("_Result")


class Place:
    """The room that one body takes."""

    def __init__(self, size_bytes: int, free: Callable[[int], None]) -> None:
        self._size_bytes = size_bytes
        self._free = free

    def shrink(self, size_bytes: int) -> None:
        """The body has turned out to be no larger than this: the rest of its room is for others."""
        if size_bytes < self._size_bytes:
            spare, self._size_bytes = self._size_bytes - size_bytes, size_bytes
            self._free(spare)


class LargeBodies:
    """One for all sources of a receiver."""

    def __init__(self, *, max_unfolded_bytes: int, patience_seconds: float) -> None:
        """`patience_seconds` is how long anybody waits for room."""
        self._max_unfolded_bytes = max_unfolded_bytes
        self._patience_seconds = patience_seconds
        self._free_bytes = int(_LARGEST_BODIES_AT_ONCE * max_unfolded_bytes)
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="large-body")

    @asynccontextmanager
    async def room(self, raw_bytes: int, coding: str, *, unproven_bytes: int | None) -> AsyncIterator[Place]:
        """Inside of the block this body may be unfolded and judged; who comes first is let in first.

        Raises TryAgainLater where no room becomes free in time.
        """
        most = self._most(unproven_bytes)
        size_bytes = min(raw_bytes, most) if is_plain(coding) else most_unfolded(raw_bytes, max_bytes=most)
        await self._enter(size_bytes)
        place = Place(size_bytes, self._free)
        try:
            yield place
        finally:
            place.shrink(0)

    async def unfold(self, raw: bytes, coding: str, *, unproven_bytes: int | None) -> bytes | Refused:
        """The body without its content coding, or why it is refused."""
        most = self._most(unproven_bytes)
        if is_plain(coding):
            return raw if len(raw) <= most else unproven_too_large(most)
        unfolded = await self.in_thread(lambda: unfold(raw, coding, max_bytes=most))
        if isinstance(unfolded, Refused) and unfolded.reason == TOO_LARGE and not is_ratio_limit(len(raw), most):
            return unproven_too_large(most) if most == unproven_bytes else unfolded
        return unfolded

    async def in_thread(self, work: Callable[[], _Result]) -> _Result:
        """The work's result; the event loop goes on meanwhile."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Ends the threads; nothing may be under way."""
        self._threads.shutdown()

    def _most(self, unproven_bytes: int | None) -> int:
        return self._max_unfolded_bytes if unproven_bytes is None else min(unproven_bytes, self._max_unfolded_bytes)

    async def _enter(self, size_bytes: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, turn))
        self._let_in()
        if turn.done():
            return
        try:
            async with asyncio.timeout(self._patience_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # let in, and gone in the same moment
                self._free(size_bytes)
            else:
                with suppress(ValueError):
                    self._waiting.remove((size_bytes, turn))
                self._let_in()
            if isinstance(error, TimeoutError):
                raise TryAgainLater(
                    f"large bodies were under way for {self._patience_seconds:g} s, and no more of them fit into "
                    "memory: see who sends them, or add receivers"
                ) from error
            raise

    def _free(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free_bytes):
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():  # else it was cancelled, and its task has not run since
                self._free_bytes -= size_bytes
                turn.set_result(None)

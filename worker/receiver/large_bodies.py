"""Decompresses and checks large bodies in threads, so that the event loop goes on; a few at a time, to limit memory.

A provider limits how much of one unauthenticated body is read (worker.providers.provider.Provider); this limits how
many are read at once. Small plain bodies never come here.
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
from worker.receiver.content_coding import TOO_LARGE, decompress, decompressed_limit, is_plain, is_ratio_limit

_THREADS = 2
# Until the queue has a body, there are several copies: as sent, decompressed, in its envelope, in its parcel, on the
# wire.
_LARGEST_BODIES_AT_ONCE = 1.5

_Result = TypeVar("_Result")


class Place:
    """The memory reserved for one body."""

    def __init__(self, size_bytes: int, free: Callable[[int], None]) -> None:
        self._size_bytes = size_bytes
        self._free = free

    def shrink(self, size_bytes: int) -> None:
        """Gives back what the body does not need, because it is no larger than this."""
        if size_bytes < self._size_bytes:
            spare, self._size_bytes = self._size_bytes - size_bytes, size_bytes
            self._free(spare)


class LargeBodies:
    """The memory and the threads for large bodies, shared by all sources of a receiver."""

    def __init__(self, *, max_decompressed_bytes: int, patience_seconds: float) -> None:
        """`patience_seconds` limits the wait for memory."""
        self._max_decompressed_bytes = max_decompressed_bytes
        self._patience_seconds = patience_seconds
        self._free_bytes = int(_LARGEST_BODIES_AT_ONCE * max_decompressed_bytes)
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="large-body")

    @asynccontextmanager
    async def room(self, raw_bytes: int, coding: str, *, unproven_bytes: int | None) -> AsyncIterator[Place]:
        """Memory for a body inside the block, in the order of asking.

        Raises TryAgainLater if none becomes free in time.
        """
        most = self._most(unproven_bytes)
        size_bytes = min(raw_bytes, most) if is_plain(coding) else decompressed_limit(raw_bytes, max_bytes=most)
        await self._enter(size_bytes)
        place = Place(size_bytes, self._free)
        try:
            yield place
        finally:
            place.shrink(0)

    async def decompress(self, raw: bytes, coding: str, *, unproven_bytes: int | None) -> bytes | Refused:
        """The decompressed body, or why it is refused."""
        most = self._most(unproven_bytes)
        if is_plain(coding):
            return raw if len(raw) <= most else unproven_too_large(most)
        body = await self.in_thread(lambda: decompress(raw, coding, max_bytes=most))
        if isinstance(body, Refused) and body.reason == TOO_LARGE and not is_ratio_limit(len(raw), most):
            return unproven_too_large(most) if most == unproven_bytes else body
        return body

    async def in_thread(self, work: Callable[[], _Result]) -> _Result:
        """The result of `work`, which runs in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        """Ends the threads. Nothing may be under way."""
        self._threads.shutdown()

    def _most(self, unproven_bytes: int | None) -> int:
        return (
            self._max_decompressed_bytes
            if unproven_bytes is None
            else min(unproven_bytes, self._max_decompressed_bytes)
        )

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
            if turn.done() and not turn.cancelled():  # the turn came in the same moment
                self._free(size_bytes)
            else:
                with suppress(ValueError):
                    self._waiting.remove((size_bytes, turn))
                self._let_in()
            if isinstance(error, TimeoutError):
                raise TryAgainLater(
                    f"no memory for a large body became free within {self._patience_seconds:g} s: find out who sends "
                    "large bodies, or add receivers"
                ) from error
            raise

    def _free(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free_bytes):
            size_bytes, turn = self._waiting.popleft()
            if not turn.done():  # otherwise it was cancelled, and its task has not run since
                self._free_bytes -= size_bytes
                turn.set_result(None)

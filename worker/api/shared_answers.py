"""Answers that are costly to make: one for all who ask the same at about the same time."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from worker.errors import StoreUnavailable

_Question = TypeVar("_Question", bound=Hashable)

# So that however many ask, making the answer to one question takes at most a tenth of a connection's time.
_REST_FACTOR = 10
_LONGEST_REST_SECONDS = 60.0
_LONGEST_FAILURE_SECONDS = 5.0  # Postgres may be back
_MOST_QUESTIONS = 200


class _Made:
    """The last answer to one question."""

    def __init__(self) -> None:
        self.one_at_a_time = asyncio.Lock()
        self.body = b""
        self.failure = ""  # what the error says, which is raised anew for each who asks: one error would keep them all
        self.fresh_until = 0.0  # by the monotonic clock


class SharedAnswers(Generic[_Question]):
    """Those of one process."""

    def __init__(
        self, make: Callable[[_Question], Awaitable[bytes]], *, at_once: int, fresh_seconds: float = 0.0
    ) -> None:
        """`make` may raise StoreUnavailable; up to `at_once` answers are made at a time, others wait.

        An answer stands for `fresh_seconds`, or for ten times as long as it took to make, a minute at most. A failure
        stands for five seconds at most, if `fresh_seconds` are fewer.
        """
        self._make = make
        self._fresh_seconds = fresh_seconds
        self._made: OrderedDict[_Question, _Made] = OrderedDict()
        self._at_once = asyncio.Semaphore(at_once)

    async def body(self, question: _Question) -> bytes:
        """The answer. Raises StoreUnavailable."""
        made = self._made.setdefault(question, _Made())
        self._made.move_to_end(question)
        while len(self._made) > _MOST_QUESTIONS:
            self._made.popitem(last=False)
        async with made.one_at_a_time:
            if time.monotonic() >= made.fresh_until:
                async with self._at_once:
                    await self._renew(made, question)
            if made.failure:
                raise StoreUnavailable(made.failure)
            return made.body

    async def _renew(self, made: _Made, question: _Question) -> None:
        started = time.monotonic()
        try:
            made.body = await self._make(question)
            made.failure = ""
            longest = _LONGEST_REST_SECONDS
        except StoreUnavailable as error:
            made.failure = str(error)
            longest = _LONGEST_FAILURE_SECONDS
        ended = time.monotonic()
        made.fresh_until = ended + max(self._fresh_seconds, min(longest, _REST_FACTOR * (ended - started)))

"""The memory that one API process holds: for questions that came in, and for answers that are made and sent.

Without a limit, 200 simultaneous questions of 10,000 addresses took 860 MiB. Questions are counted as they arrive and
refused if there is no room; answers wait for their turn. Small answers have a share of their own, so that a single
address does not wait behind campaigns.
"""

import asyncio
from types import TracebackType
from typing import Self

from aiohttp import web

from worker.api.allowance import Allowance
from worker.errors import Overloaded
from worker.process import metrics
from worker.process.logs import Reminder, get_logger

_log = get_logger()

_WAIT_SECONDS = 10.0
_MOST_WAITING = 1_000


class Load:
    """The memory that this process holds for its requests."""

    def __init__(self, most_bytes: int) -> None:
        self.bodies = Allowance(most_bytes // 2)
        self.answers = Allowance(most_bytes * 3 // 8)
        self.small_answers = Allowance(most_bytes // 8)
        self._reminder = Reminder()
        self._refused = 0

    @property
    def held(self) -> int:
        """The bytes held, known or estimated."""
        return self.bodies.held + self.answers.held + self.small_answers.held

    @property
    def waiting(self) -> int:
        """The number of requests whose answer has not begun."""
        return self.answers.waiting + self.small_answers.waiting

    def share_for(self, size: int) -> Allowance:
        """The allowance from which an answer of this size takes its bytes."""
        return self.small_answers if size * 8 <= self.small_answers.most else self.answers

    def overloaded(self, reason: str) -> Overloaded:
        """The error to raise. It is counted, and logged once a minute."""
        metrics.API_REFUSED.labels("busy").inc()
        self._refused += 1
        if self._reminder.due("busy"):
            _log.warning("api.overloaded", reason=reason, count=self._refused, bytes=self.held, waiting=self.waiting)
            self._refused = 0
        return Overloaded(f"{reason[:1].upper()}{reason[1:]}.")


class RequestLoad:
    """The share of one request. The end of the block gives all of it back."""

    def __init__(self, load: Load, request: web.BaseRequest) -> None:
        self._load = load
        self._request = request
        self._body_bytes = 0
        self._answer_bytes = 0
        self._share = load.answers

    def hold_body(self, size: int) -> None:
        """Holds this many bytes for the body from now on. Raises Overloaded."""
        more = size - self._body_bytes
        if more <= 0:
            return
        if not self._load.bodies.take_now(more):
            raise self._load.overloaded("this process already holds as many questions as its limit allows")
        self._body_bytes = size

    async def hold_answer(self, size: int) -> None:
        """Waits until an answer of about this many bytes may be made. Raises Overloaded if that takes too long."""
        share = self._load.share_for(size)
        if self._load.waiting >= _MOST_WAITING:
            raise self._load.overloaded("too many questions wait for their answer")
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await share.take(size)
        except TimeoutError as error:
            raise self._load.overloaded(f"the question waited {_WAIT_SECONDS:g} s for its turn") from error
        self._share, self._answer_bytes = share, size
        if self._request.transport is None:
            raise self._load.overloaded("the caller disconnected before the turn of his question")

    def drop_answer(self) -> None:
        """Gives back the bytes held for the answer, because there is no answer yet."""
        self._share.give_back(self._answer_bytes)
        self._answer_bytes = 0

    @property
    def holds_answer(self) -> bool:
        """True while an answer is being made or sent."""
        return self._answer_bytes > 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop_answer()
        self._load.bodies.give_back(self._body_bytes)
        self._body_bytes = 0

"""What one API process holds at a time: questions that came in, and answers that are made and sent.

Without a bound, 200 questions of 10,000 addresses at once took 860 MiB. Questions are counted as they arrive and
refused when there is no room; answers wait for their turn. Small answers have a share of their own, so that a single
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
    """All that this process holds for its requests."""

    def __init__(self, most_bytes: int) -> None:
        self.bodies = Allowance(most_bytes // 2)
        self.answers = Allowance(most_bytes * 3 // 8)
        self.small_answers = Allowance(most_bytes // 8)
        self._reminder = Reminder()
        self._refused = 0

    @property
    def held(self) -> int:
        """Bytes, as far as they are known or estimated."""
        return self.bodies.held + self.answers.held + self.small_answers.held

    @property
    def waiting(self) -> int:
        """Requests whose answer has not been begun."""
        return self.answers.waiting + self.small_answers.waiting

    def share_for(self, size: int) -> Allowance:
        """Where an answer of this size takes its bytes from."""
        return self.small_answers if size * 8 <= self.small_answers.most else self.answers

    def overloaded(self, what: str) -> Overloaded:
        """The error to raise; counted, and logged once a minute."""
        metrics.API_REFUSED.labels("busy").inc()
        self._refused += 1
        if self._reminder.due("busy"):
            _log.warning("api.overloaded", reason=what, count=self._refused, bytes=self.held, waiting=self.waiting)
            self._refused = 0
        return Overloaded(f"{what[:1].upper()}{what[1:]}.")


class RequestLoad:
    """What one request holds of it; all is given back at the end of the block."""

    def __init__(self, load: Load, request: web.BaseRequest) -> None:
        self._load = load
        self._request = request
        self._body_bytes = 0
        self._answer_bytes = 0
        self._share = load.answers

    def hold_body(self, size: int) -> None:
        """This many bytes of the body are held from now on. Raises Overloaded."""
        more = size - self._body_bytes
        if more <= 0:
            return
        if not self._load.bodies.take_now(more):
            raise self._load.overloaded("this process holds as many questions as it may")
        self._body_bytes = size

    async def hold_answer(self, size: int) -> None:
        """An answer that takes about this many bytes may be made now. Raises Overloaded after a while."""
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
            raise self._load.overloaded("the caller had gone when the turn of his question came")

    def drop_answer(self) -> None:
        """There is no answer yet after all: what was held for it is given back."""
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

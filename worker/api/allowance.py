"""A limit on the bytes that all requests of a process hold together."""

import asyncio
from collections import deque


class Allowance:
    """A number of bytes to take and give back. If too few are left, requests wait in order.

    A request larger than the whole allowance gets its bytes when nothing else is taken: otherwise it would never fit.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def take_now(self, size: int) -> bool:
        """Takes the bytes and returns True; returns False if they do not fit or others already wait."""
        if self._waiting or not self._fits(size):
            return False
        self.held += size
        return True

    async def take(self, size: int) -> None:
        """Takes the bytes once all earlier requests have theirs and these fit. May be cancelled at any time."""
        if self.take_now(size):
            return
        turn = asyncio.get_running_loop().create_future()
        place = (size, turn)
        self._waiting.append(place)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came in the same moment
                self.give_back(size)
            elif place in self._waiting:
                self._waiting.remove(place)
                self._call_next()
            raise

    def give_back(self, size: int) -> None:
        """Gives bytes back, and lets waiting requests go on."""
        self.held -= size
        self._call_next()

    def _fits(self, size: int) -> bool:
        return not self.held or self.held + size <= self.most

    def _call_next(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.held += size
                turn.set_result(None)

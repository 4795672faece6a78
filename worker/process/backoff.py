"""How long to wait between tries. All code here that tries again uses this."""

import asyncio

from worker.process.pause import pause


class Backoff:
    """Doubles the wait after each failure, up to a limit. A success resets it."""

    def __init__(self, *, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self.seconds = first_seconds  # the wait after the next failure

    def succeeded(self) -> None:
        """Resets the wait."""
        self.seconds = self._first_seconds

    def failed(self) -> float:
        """Returns the seconds to wait now, and makes the next wait longer."""
        seconds = self.seconds
        self.seconds = min(seconds * 2, self._longest_seconds)
        return seconds

    async def wait(self, stop: asyncio.Event) -> None:
        """Waits as long as `failed` says, or until `stop`."""
        await pause(stop, self.failed())

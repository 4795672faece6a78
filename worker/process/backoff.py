"""How long to wait between tries of what fails for now: the one way in which everything here waits."""

import asyncio

from worker.process.pause import pause


class Backoff:
    """Twice as long after each failure, up to a limit; after a success the first wait again."""

    def __init__(self, *, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self.seconds = first_seconds  # the wait that comes after the next failure

    def succeeded(self) -> None:
        """A failure that comes now is the first one."""
        self.seconds = self._first_seconds

    def failed(self) -> float:
        """How long to wait now; the next wait is longer."""
        seconds = self.seconds
        self.seconds = min(seconds * 2, self._longest_seconds)
        return seconds

    async def wait(self, stop: asyncio.Event) -> None:
        """Waits as long as `failed` says, or until `stop`."""
        await pause(stop, self.failed())

"""Whether live work waits: background work leaves it the way."""


class Backlog:
    """How much waits in the queues of this process, as its processor measures it."""

    def __init__(self) -> None:
        self._parcels: dict[str, int] = {}

    def measured(self, queue: str, parcels: int) -> None:
        """So many live parcels wait in this queue."""
        self._parcels[queue] = parcels

    @property
    def parcels(self) -> int:
        """All that wait."""
        return sum(self._parcels.values())

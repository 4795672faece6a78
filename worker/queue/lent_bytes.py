"""Limits the bytes that a reader holds: queues with large parcels lend it only a few at a time.

A broker lends a number of parcels, whatever their size. So a parcel that is too much goes back, and its queue is narrow
from then on: it lends a few parcels at a time, in turns with other narrow queues, until its parcels are small again.
"""

from collections import Counter, deque
from collections.abc import Iterable

# Of what is held in parcels that are not small: those of one processor, in either queue.
MOST_LENT_BYTES = 32 * 1024 * 1024
# Smaller parcels never wait for larger ones, and a few hundred of them are not much.
SMALL_BYTES = 64 * 1024
_NARROW_BYTES = 4 * 1024 * 1024
_SMALL_IN_A_ROW = 16
_ANY_BYTES = 2**62


class LentBytes:
    """The parcels that are lent and not settled, by the reader's tags."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}  # of those that are not small
        self._total = 0

    @property
    def largest_bytes(self) -> int:
        """The largest parcel that may be added; without a limit if all others are small."""
        return max(SMALL_BYTES, MOST_LENT_BYTES - self._total) if self._sizes else _ANY_BYTES

    @property
    def has_room(self) -> bool:
        """False if another large parcel would probably be too much."""
        return self._total <= MOST_LENT_BYTES // 2

    def add(self, tag: int, size_bytes: int) -> None:
        """Counts a parcel, once even if it is added again."""
        if size_bytes > SMALL_BYTES and tag not in self._sizes:
            self._sizes[tag] = size_bytes
            self._total += size_bytes

    def discard(self, tags: Iterable[int]) -> None:
        """Removes parcels; ignores those not held."""
        for tag in tags:
            self._total -= self._sizes.pop(tag, 0)

    def clear(self) -> None:
        """Removes all."""
        self._sizes.clear()
        self._total = 0


class NarrowQueues:
    """The queues that are lent a few parcels at a time."""

    def __init__(self) -> None:
        self.waiting: deque[str] = deque()  # for their turn; nothing is lent of these
        self._prefetch: dict[str, int] = {}
        self._small: Counter[str] = Counter()  # in a row

    def __contains__(self, queue: str) -> bool:
        return queue in self._prefetch

    def prefetch(self, queue: str, usual: int) -> int:
        """How many parcels the queue may lend at a time."""
        return min(usual, self._prefetch.get(queue, usual))

    def narrow(self, queue: str, size_bytes: int) -> None:
        """Makes the queue narrow: it lent a parcel of this size, for which there was no room."""
        self._prefetch[queue] = max(1, _NARROW_BYTES // size_bytes)
        self._small.pop(queue, None)

    def widens(self, queue: str, size_bytes: int) -> bool:
        """True if the queue is not narrow any more after this parcel, because its latest ones were small."""
        if queue not in self._prefetch:
            return False
        if size_bytes > SMALL_BYTES:
            self._small.pop(queue, None)
            return False
        self._small[queue] += 1
        if self._small[queue] < _SMALL_IN_A_ROW:
            return False
        del self._prefetch[queue], self._small[queue]
        return True

    def clear(self) -> None:
        """No queue waits for a turn any more; narrow ones stay narrow."""
        self.waiting.clear()

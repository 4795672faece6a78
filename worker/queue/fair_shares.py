"""Whose turn it is: start-time fair queueing among lanes (Goyal, Vin and Cheng 1996).

Each lane has a clock that runs by the bytes it was served; the lane whose clock is furthest behind is next. A lane
that comes back after a pause continues at the time of the others: it is next, and saves up no turns while it is away.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from schemas.lane import Lane
from worker.queue.port import Lease, Share

# So much of a lane may go ahead of all backlogs at a time. What is more is a backlog of its own.
AHEAD_BYTES = 64 * 1024
# A byte of bulk work counts as so many: beside live events it moves on, slowly, and alone it has everything.
BULK_WEIGHT = 16


class FairShares:
    """The turns of one reader."""

    def __init__(self) -> None:
        self._served: dict[Lane, float] = {}
        self._now = 0.0

    def next_of(self, waiting: Iterable[Lane]) -> Lane:
        """The lane that is next; `waiting` holds one at least."""
        return min(waiting, key=lambda lane: (self._clock(lane), lane))

    def serve(self, lane: Lane, size_bytes: int, *, in_turn: bool = True) -> None:
        """So many bytes of the lane were taken; not `in_turn` if others that were behind it had to wait."""
        clock = self._clock(lane)
        if in_turn:
            self._now = clock
        self._served[lane] = clock + size_bytes * weight(lane)

    def ahead(self) -> Mapping[Lane, float]:
        """By how many bytes each lane is ahead of the others; lanes that are not are left out."""
        self._served = {lane: clock for lane, clock in self._served.items() if clock > self._now}
        return {lane: clock - self._now for lane, clock in self._served.items()}

    def _clock(self, lane: Lane) -> float:
        return max(self._served.get(lane, 0.0), self._now)


def weight(lane: Lane) -> int:
    """What a byte of this lane counts."""
    return BULK_WEIGHT if lane.bulk else 1


class InWork:
    """The parcels that were handed out and not settled yet, and which lanes are busy because of them."""

    def __init__(self) -> None:
        self._parcels: dict[int, tuple[Lane, int]] = {}  # by tag; with the bytes that went ahead, 0 for a backlog's
        self._ahead_bytes: Counter[Lane] = Counter()
        self._backlog: Counter[Lane] = Counter()

    @property
    def busy(self) -> AbstractSet[Lane]:
        """The lanes that have parcels in work which did not go ahead, or as much ahead as they may have."""
        return self._backlog.keys() | {lane for lane, size in self._ahead_bytes.items() if size >= AHEAD_BYTES}

    def add(self, lease: Lease, share: Share) -> None:
        """It is handed out, perhaps once more after its loan had run out."""
        if lease.tag in self._parcels:
            return
        size = max(1, len(lease.parcel)) if share is Share.FIRST else 0
        self._parcels[lease.tag] = (lease.lane, size)
        if size:
            self._ahead_bytes[lease.lane] += size
        else:
            self._backlog[lease.lane] += 1

    def discard(self, leases: Iterable[Lease]) -> None:
        """They are settled; those that are not in work are passed over."""
        for lease in leases:
            lane, size = self._parcels.pop(lease.tag, (lease.lane, 0))
            count, by = (self._ahead_bytes, size) if size else (self._backlog, 1)
            if lane in count:
                count[lane] -= by
                if count[lane] <= 0:
                    del count[lane]

    def clear(self) -> None:
        """All of them are void."""
        self._parcels.clear()
        self._ahead_bytes.clear()
        self._backlog.clear()

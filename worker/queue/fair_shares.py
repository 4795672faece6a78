"""Which lane is next: start-time fair queueing (Goyal, Vin and Cheng 1996).

Each lane has a clock that advances with its bytes; the lane with the earliest clock is next. A lane that comes back
after a pause continues at the time of the others: it is next, but does not save up turns.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from schemas.lane import Lane
from worker.queue.port import Lease, Share

# So many bytes of a lane may go ahead of all backlogs at a time. The rest is a backlog of its own.
AHEAD_BYTES = 64 * 1024
# A byte of bulk work counts as so many: it moves slowly beside live events, and at full speed alone.
BULK_WEIGHT = 16


class FairShares:
    """The turns of one reader."""

    def __init__(self) -> None:
        self._served: dict[Lane, float] = {}
        self._now = 0.0

    def next_of(self, waiting: Iterable[Lane]) -> Lane:
        """The next lane; `waiting` must not be empty."""
        return min(waiting, key=lambda lane: (self._clock(lane), lane))

    def serve(self, lane: Lane, size_bytes: int, *, in_turn: bool = True) -> None:
        """Counts so many bytes of the lane. `in_turn` is False if it went before lanes whose turn it was."""
        clock = self._clock(lane)
        if in_turn:
            self._now = clock
        self._served[lane] = clock + size_bytes * weight(lane)

    def ahead(self) -> Mapping[Lane, float]:
        """By how many bytes each lane is ahead of the others; only lanes that are ahead."""
        self._served = {lane: clock for lane, clock in self._served.items() if clock > self._now}
        return {lane: clock - self._now for lane, clock in self._served.items()}

    def _clock(self, lane: Lane) -> float:
        return max(self._served.get(lane, 0.0), self._now)


def weight(lane: Lane) -> int:
    """How much a byte of this lane counts."""
    return BULK_WEIGHT if lane.bulk else 1


class InWork:
    """The parcels that are lent and not settled yet, and the lanes that are busy because of them."""

    def __init__(self) -> None:
        self._parcels: dict[int, tuple[Lane, int]] = {}  # by tag; with the bytes that went ahead, 0 for a backlog's
        self._ahead_bytes: Counter[Lane] = Counter()
        self._backlog: Counter[Lane] = Counter()

    @property
    def busy(self) -> AbstractSet[Lane]:
        """The lanes that have parcels in work which did not go ahead, or as much ahead as they may have."""
        return self._backlog.keys() | {lane for lane, size in self._ahead_bytes.items() if size >= AHEAD_BYTES}

    def add(self, lease: Lease, share: Share) -> None:
        """Counts a lent parcel, once even if it is lent again after its lease ended."""
        if lease.tag in self._parcels:
            return
        size = max(1, len(lease.parcel)) if share is Share.FIRST else 0
        self._parcels[lease.tag] = (lease.lane, size)
        if size:
            self._ahead_bytes[lease.lane] += size
        else:
            self._backlog[lease.lane] += 1

    def discard(self, leases: Iterable[Lease]) -> None:
        """Removes settled parcels; ignores those not in work."""
        for lease in leases:
            lane, size = self._parcels.pop(lease.tag, (lease.lane, 0))
            count, by = (self._ahead_bytes, size) if size else (self._backlog, 1)
            if lane in count:
                count[lane] -= by
                if count[lane] <= 0:
                    del count[lane]

    def clear(self) -> None:
        """Removes all, because all leases are void."""
        self._parcels.clear()
        self._ahead_bytes.clear()
        self._backlog.clear()

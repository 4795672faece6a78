"""The durable queue as the rest of the program sees it. Adapters: rabbitmq.py, postgres.py.

Parcels wait in lanes, one for each source. A reader takes turns among them by bytes, so that a busy source delays only
itself (worker.queue.fair_shares).
"""

from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto
from typing import Protocol

from msgspec import Struct

from schemas.lane import SHARED_LANE, Lane


class Lease(Struct, frozen=True, kw_only=True):
    """A parcel lent to this consumer until it is acknowledged or given back."""

    tag: int  # the adapter's own handle: AMQP delivery tag, or row id
    parcel: bytes  # schemas.envelope.encode_parcel
    lane: Lane = SHARED_LANE
    delivery_count: int  # how often it was lent before, to whomever and for whatever reason; 0 the first time


class Share(Enum):
    """Which of the waiting parcels a reader takes."""

    ANY = auto()
    # While any lane is busy (worker.queue.fair_shares.InWork): the first parcels of each live lane that is not. They
    # are few, whatever waits behind them, and need not wait for what is in work.
    FIRST = auto()
    REST = auto()  # what FIRST leaves: backlogs, bulk work, and everything while no lane is busy

    def includes(self, lane: Lane, *, busy: Collection[Lane]) -> bool:
        """Whether a parcel of this lane is asked for, when those lanes are busy."""
        first = bool(busy) and not lane.bulk and lane not in busy
        match self:
            case Share.ANY:
                return True
            case Share.FIRST:
                return first
            case Share.REST:
                return not first


class QueueWriter(Protocol):
    """The receiver's side."""

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        """Returns when the parcel is on disk.

        Raises QueueUnavailable if the queue does not confirm. The parcel may still be in the queue; putting it again
        is harmless. A writer that was opened for a command raises ImpossibleSetting if it is refused.
        """
        ...

    def available(self) -> bool:
        """False while the queue is known to be away or blocked."""
        ...

    async def close(self) -> None:
        """Waits for the puts under way and closes the connection."""
        ...


class QueueReader(Protocol):
    """The processor's side. Several tasks of one process may use one reader."""

    async def take(
        self, *, max_parcels: int, max_wait_seconds: float, max_bytes: int | None = None, share: Share = Share.ANY
    ) -> list[Lease]:
        """Up to max_parcels, as soon as there is one, or [] after max_wait_seconds.

        The parcel that reaches max_bytes is the last. Raises QueueUnavailable while the queue is away. Earlier leases
        are then void, and their parcels are lent again, to this reader or another.
        """
        ...

    async def acknowledge(self, leases: Sequence[Lease]) -> None:
        """Removes the parcels from the queue. Ignores void leases."""
        ...

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Puts the parcels back to be lent again, with one lending more on their count."""
        ...

    async def suspend(self) -> None:
        """Gives back all that is lent, and holds nothing until `resume`, whatever happens to the connection."""
        ...

    async def resume(self) -> None:
        """Goes on after `suspend`."""
        ...

    async def depths(self) -> Mapping[Lane, int] | None:
        """How many parcels wait in each lane, or None if that is unknown. Empty lanes may be missing."""
        ...

    async def depth(self) -> int | None:
        """How many parcels wait in all, or None if that is unknown."""
        ...

    async def close(self) -> None:
        """Gives back the lent parcels and closes the connection."""
        ...


class LaneReader(QueueReader, Protocol):
    """A reader for which a lane is a queue of its own: it must be told which lanes there are."""

    async def follow(self, own: Collection[Lane], others: Collection[Lane] = ()) -> list[Lane]:
        """Makes a queue for each own lane and reads all; gives the others that have none. Raises QueueUnavailable."""
        ...

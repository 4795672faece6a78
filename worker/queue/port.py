"""The durable queue as the rest of the program sees it. Adapters: rabbitmq.py, postgres.py.

Parcels wait in lanes, one for each source. A reader takes turns among them by bytes, so that a source with much to
say makes itself wait and nobody else (worker.queue.fair_shares).
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
    death_reason: str = ""  # only from a reader of dead parcels: why the broker gave it up, e.g. "expired"


class Share(Enum):
    """Which of the waiting parcels are asked for."""

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
        """The parcel is on disk when this returns.

        Raises QueueUnavailable when that could not be confirmed; the parcel may then be in the queue all the
        same, and putting it again is harmless.
        """
        ...

    def available(self) -> bool:
        """False while the queue is known to be away or blocked."""
        ...

    async def close(self) -> None:
        """Waits for what is under way and lets go of the connection."""
        ...


class QueueReader(Protocol):
    """The processor's side. Several tasks of one process may use one reader."""

    async def take(
        self, *, max_parcels: int, max_wait_seconds: float, max_bytes: int | None = None, share: Share = Share.ANY
    ) -> list[Lease]:
        """Up to max_parcels, as soon as there is one, or [] after max_wait_seconds.

        They end with the one that reaches max_bytes. Raises QueueUnavailable while the queue is away; leases given
        out before are then void and their parcels will be lent again, to this reader or another.
        """
        ...

    async def acknowledge(self, leases: Sequence[Lease]) -> None:
        """Takes the parcels off the queue for good. Void leases are passed over."""
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
        """How many parcels wait in each lane, or None when that cannot be told. Empty lanes may be left out."""
        ...

    async def depth(self) -> int | None:
        """How many parcels wait in all, or None when that cannot be told."""
        ...

    async def close(self) -> None:
        """Gives back what is lent and lets go of the connection."""
        ...

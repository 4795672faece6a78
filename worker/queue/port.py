"""The durable queue as the rest of the program sees it. Adapters: rabbitmq.py, postgres.py."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class Lease(Struct, frozen=True, kw_only=True):
    """A parcel lent to this consumer until it is acknowledged or given back."""

    tag: int  # the adapter's own handle: AMQP delivery tag, or row id
    parcel: bytes  # schemas.envelope.encode_parcel
    delivery_count: int  # how often it was lent before, 0 the first time
    death_reason: str = ""  # only from a reader of dead letters: why it is dead, e.g. "delivery_limit"


class QueueWriter(Protocol):
    """The receiver's side."""

    async def put(self, parcel: bytes) -> None:
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
    """The processor's side. One reader is used by one task at a time."""

    async def take(self, *, max_parcels: int, max_wait_seconds: float) -> list[Lease]:
        """Up to max_parcels, as soon as there is one, or [] after max_wait_seconds.

        Raises QueueUnavailable while the queue is away; leases given out before are then void and their
        parcels will be lent again, to this reader or another.
        """
        ...

    async def acknowledge(self, leases: Sequence[Lease]) -> None:
        """Takes the parcels off the queue for good. Void leases are passed over."""
        ...

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Puts the parcels back to be lent again; each counts towards the delivery limit."""
        ...

    async def depth(self) -> int | None:
        """How many parcels wait, or None when that cannot be told."""
        ...

    async def close(self) -> None:
        """Gives back what is lent and lets go of the connection."""
        ...

"""Finds the parcels that kill processors. A killed processor reports nothing, so notes in Postgres say what it tried.

A parcel that was lent before is not suspicious by itself: if a channel is lost, or a processor stopped or killed, all
its parcels are lent again. So there are steps.

1. A parcel that was lent before is noted, and shares a load as usual. When it is done, the note is deleted.
2. If it is lent once more and the note is still there, a processor died or was killed while it had this parcel among
   others. Now it is tried alone, with nothing else under way in the process. Each attempt is noted before it is made.
3. If the parcel as a whole was tried in vain, its deliveries are tried one by one, each with attempts of its own. A
   delivery that has used them up is set aside.

So a parcel that kills processors is given up after a few of them, and its neighbours are not. Attempts that end in an
orderly way, for example because Postgres goes away, are taken back.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from worker.errors import StoreUnavailable
from worker.queue.port import Lease
from worker.store.parcel_attempts import count_attempt, note_parcels, restore_attempts, strike_parcels
from worker.store.pool import Pool

MOST_ATTEMPTS_TOGETHER = 2  # of a parcel as a whole
MOST_ATTEMPTS = 3  # of each of its deliveries after that
_MOST_DOUBTS = 10_000


class _ReturnedParcel(Struct, kw_only=True):
    """A parcel that we hold and that was lent before."""

    parcel_hash: bytes
    # What was on record before it returned: how often it, and its deliveries, were tried alone; None for "not noted".
    attempts_before: dict[bytes, int | None]


class Trials:
    """The parcels of one consumer that were lent before."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._returned: dict[int, _ReturnedParcel] = {}  # by the tag of the lease
        self._doubts: set[bytes] = set()  # could not be stored here, though Postgres answers
        # What is still to be written.
        self._to_restore: dict[bytes, int | None] = {}
        self._to_strike: set[bytes] = set()

    async def suspects(self, leases: Sequence[Lease]) -> list[Lease]:
        """The parcels that must be tried alone. Notes the others that were lent before. Raises StoreUnavailable."""
        lent_before = {lease.tag: parcel_hash(lease.parcel) for lease in leases if lease.delivery_count}
        if not lent_before:
            return []
        await self.write()
        noted = await note_parcels(self._pool, lent_before.values(), now=datetime.now(UTC))
        for tag, subject in lent_before.items():
            self._returned[tag] = _ReturnedParcel(parcel_hash=subject, attempts_before={subject: noted[subject]})
        alone = {subject for subject, attempts in noted.items() if attempts is not None} | self._doubts
        return [lease for lease in leases if lent_before.get(lease.tag) in alone]

    async def may_try(self, lease: Lease) -> bool:
        """Counts an attempt with the whole parcel, before it is made; False if there were enough.

        Raises StoreUnavailable.
        """
        return await self._may_try(lease, self._returned[lease.tag].parcel_hash, MOST_ATTEMPTS_TOGETHER)

    async def may_try_delivery(self, lease: Lease, blob: bytes) -> bool:
        """Counts an attempt with one delivery, before it is made; False if there were enough.

        Raises StoreUnavailable.
        """
        return await self._may_try(lease, parcel_hash(blob), MOST_ATTEMPTS)

    async def delivery_done(self, lease: Lease, blob: bytes) -> None:
        """This delivery is in effect or set aside, so it is not the cause if the process dies now.

        Raises StoreUnavailable.
        """
        blob_hash = parcel_hash(blob)
        await strike_parcels(self._pool, [blob_hash])
        self._returned[lease.tag].attempts_before[blob_hash] = None

    async def done(self, leases: Collection[Lease]) -> None:
        """These parcels are in effect or set aside."""
        for parcel in self._pop(leases):
            self._to_strike.update(parcel.attempts_before)
            self._doubts.discard(parcel.parcel_hash)
        with contextlib.suppress(StoreUnavailable):
            await self.write()

    def untried(self, leases: Iterable[Lease]) -> None:
        """These parcels were interrupted without being the cause: `write` takes their attempts back."""
        for parcel in self._pop(leases):
            self._to_restore.update(parcel.attempts_before)

    def all_untried(self) -> None:
        """All parcels that we hold were interrupted without being the cause."""
        for parcel in self._returned.values():
            self._to_restore.update(parcel.attempts_before)
        self._returned.clear()

    def tried(self, leases: Iterable[Lease]) -> None:
        """These parcels were tried in vain: their notes stay."""
        self._pop(leases)

    def doubt(self, parcel_hashes: Collection[bytes]) -> None:
        """These parcels could not be stored although Postgres answers: each is tried alone when it comes again."""
        if len(self._doubts) > _MOST_DOUBTS:
            self._doubts.clear()
        self._doubts.update(parcel_hashes)

    async def write(self, *, ask: bool = False) -> None:
        """Writes all notes that are due; with `ask`, asks Postgres even if none is.

        Raises StoreUnavailable; a later call then writes them.
        """
        restore, self._to_restore = self._to_restore, {}
        strike, self._to_strike = self._to_strike, set()
        try:
            if restore or ask:
                await restore_attempts(self._pool, restore)
            await strike_parcels(self._pool, strike)
        except BaseException:
            self._to_restore = restore | self._to_restore
            self._to_strike |= strike
            raise

    async def _may_try(self, lease: Lease, subject_hash: bytes, most: int) -> bool:
        attempts = await count_attempt(self._pool, subject_hash, now=datetime.now(UTC))
        self._returned[lease.tag].attempts_before.setdefault(subject_hash, attempts - 1 or None)
        return attempts <= most

    def _pop(self, leases: Iterable[Lease]) -> list[_ReturnedParcel]:
        return [parcel for lease in leases if (parcel := self._returned.pop(lease.tag, None)) is not None]


def parcel_hash(subject: bytes) -> bytes:
    """The hash by which a parcel or a delivery is recognised: 16 bytes."""
    return hashlib.blake2b(subject, digest_size=16).digest()

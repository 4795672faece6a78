"""Which parcels stop the processors that try them, found without a word from the dead.

A parcel that was lent before is no suspect by itself: channels are lost, processors are stopped and killed, and all
that they held is lent again. So there are steps.

1. A parcel that was lent before is noted, and goes with others as usual. When it is done, the note is struck out.
2. If it is lent once more and the note is there still, a processor died, or was killed, while it had it among others.
   It is then tried alone, with nothing else under way in the process, and each attempt is on record before it is made.
3. When it has been tried in vain as a whole, its deliveries are tried one by one, each with attempts of its own. One
   that has had all of them is set aside.

So whatever kills a processor is given up after a few more, and what it was lent together with is not. Attempts that end
in good order, as when Postgres goes away in the middle, are taken back.
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


class _Met(Struct, kw_only=True):
    """A parcel in hand that was lent before."""

    parcel_hash: bytes
    # What was on record before we met it: how often it, and its deliveries, were tried alone; None for "not noted".
    before: dict[bytes, int | None]


class Trials:
    """The parcels of one consumer that were lent before."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._met: dict[int, _Met] = {}  # by the tag of the lease
        self._doubts: set[bytes] = set()  # could not be stored here, though Postgres answers
        # What is still to be written.
        self._to_restore: dict[bytes, int | None] = {}
        self._to_strike: set[bytes] = set()

    async def suspects(self, leases: Sequence[Lease]) -> list[Lease]:
        """Those that have to be tried alone; the others that were lent before are noted. Raises StoreUnavailable."""
        lent_before = {lease.tag: parcel_hash(lease.parcel) for lease in leases if lease.delivery_count}
        if not lent_before:
            return []
        await self.write()
        noted = await note_parcels(self._pool, lent_before.values(), now=datetime.now(UTC))
        for tag, subject in lent_before.items():
            self._met[tag] = _Met(parcel_hash=subject, before={subject: noted[subject]})
        alone = {subject for subject, attempts in noted.items() if attempts is not None} | self._doubts
        return [lease for lease in leases if lent_before.get(lease.tag) in alone]

    async def may_try(self, lease: Lease) -> bool:
        """Counts the attempt of the whole parcel that is about to be made; False when there were enough.

        Raises StoreUnavailable.
        """
        return await self._may_try(lease, self._met[lease.tag].parcel_hash, MOST_ATTEMPTS_TOGETHER)

    async def may_try_delivery(self, lease: Lease, blob: bytes) -> bool:
        """The same for one of its deliveries."""
        return await self._may_try(lease, parcel_hash(blob), MOST_ATTEMPTS)

    async def delivery_done(self, lease: Lease, blob: bytes) -> None:
        """That delivery is in effect, or set aside: it is not to blame for what comes next.

        Raises StoreUnavailable.
        """
        blob_hash = parcel_hash(blob)
        await strike_parcels(self._pool, [blob_hash])
        self._met[lease.tag].before[blob_hash] = None

    async def done(self, leases: Collection[Lease]) -> None:
        """These are in effect, or set aside."""
        for met in self._pop(leases):
            self._to_strike.update(met.before)
            self._doubts.discard(met.parcel_hash)
        with contextlib.suppress(StoreUnavailable):
            await self.write()

    def untried(self, leases: Iterable[Lease]) -> None:
        """These were not tried to the end, and not for their sake: `write` makes it as if we had not met them."""
        for met in self._pop(leases):
            self._to_restore.update(met.before)

    def all_untried(self) -> None:
        """The same for whatever is in hand."""
        for met in self._met.values():
            self._to_restore.update(met.before)
        self._met.clear()

    def tried(self, leases: Iterable[Lease]) -> None:
        """These were tried in vain: what is on record stands."""
        self._pop(leases)

    def doubt(self, parcel_hashes: Collection[bytes]) -> None:
        """These could not be stored, though Postgres answers: each is tried alone when it comes again."""
        if len(self._doubts) > _MOST_DOUBTS:
            self._doubts.clear()
        self._doubts.update(parcel_hashes)

    async def write(self, *, ask: bool = False) -> None:
        """Nothing is left to be written when this returns; with `ask`, Postgres is asked in any case.

        Raises StoreUnavailable; what could not be written is written by a later call.
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
        self._met[lease.tag].before.setdefault(subject_hash, attempts - 1 or None)
        return attempts <= most

    def _pop(self, leases: Iterable[Lease]) -> list[_Met]:
        return [met for lease in leases if (met := self._met.pop(lease.tag, None)) is not None]


def parcel_hash(subject: bytes) -> bytes:
    """What a parcel, or a delivery of one, is known by: 16 bytes."""
    return hashlib.blake2b(subject, digest_size=16).digest()

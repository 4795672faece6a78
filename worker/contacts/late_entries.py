"""An entry that comes late into a long log: folded from the checkpoint before it, until the facts meet another one.

A log of a few hundred entries is folded again as a whole, which takes one statement for many contacts. A long one is
read in slices, from the last checkpoint before what came late. Nearly always the facts are soon those of the next
checkpoint, and what follows stays as it is (worker/policy/late_fold.py). Whatever is read anew leaves checkpoints.

A checkpoint says what the whole log up to its place comes to. So whoever folds an entry as it comes, and in front of
checkpoints, deletes them: `passed_checkpoints`.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice

from msgspec import Struct

from schemas.entry import Entry
from worker.policy.annotations import NO_ANNOTATIONS, annotations
from worker.policy.checkpoint import FACTS_SHAPE, Checkpoint
from worker.policy.event_order import is_inert, order_key
from worker.policy.facts import Facts, OrderKey
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.late_fold import LateFold, changed_by
from worker.policy.policy_encoding import encode_policy
from worker.policy.rule import Policy
from worker.store.checkpoints import (
    StoredCheckpoint,
    checkpoint_before,
    checkpoints_from,
    delete_other_checkpoints,
    long_logs,
    write_checkpoints,
)
from worker.store.known_keys import KeyInMonth
from worker.store.log_span import BEGINNING, END, Place, Span
from worker.store.pool import Connection
from worker.store.stored_entries import first_entries, places_of, stored_annotations

_WRITTEN_AT_ONCE = 100
_AHEAD = 8  # checkpoints that are looked at first: nearly always the facts meet one of them


class LogReading(Struct, frozen=True, kw_only=True):
    """How the logs of contacts are read again."""

    long: int = 1_000  # so many entries make a log long; a shorter one is folded as a whole
    slice_entries: int = 500  # so many are read at once, and between two checkpoints


async def fold_late_entries(
    connection: Connection,
    contacts: Mapping[int, tuple[Facts, Sequence[Entry]]],
    policy: Policy,
    *,
    reading: LogReading,
) -> dict[int, Facts]:
    """The facts of those of the contacts whose logs are long, with entries of which some come late.

    `contacts`: their facts without those entries, and the entries. Their rows are locked. Checkpoints that the entries
    make invalid are written anew. Raises StoreUnavailable.
    """
    long = await long_logs(connection, list(contacts), most=reading.long)
    return {
        contact_id: await _fold_late(connection, contact_id, late, now, policy=policy, reading=reading)
        for contact_id, (now, late) in contacts.items()
        if contact_id in long
    }


def passed_checkpoints(contact_id: int, facts: Facts, entries: Iterable[Entry]) -> list[KeyInMonth]:
    """The first of the entries that lies before what the facts hold, and so perhaps before checkpoints."""
    latest = facts.latest
    if latest is None:
        return []
    early = [entry for entry in entries if entry.occurred_at <= latest.occurred_at and not is_inert(entry)]
    if not early:
        return []
    first = min(early, key=order_key)
    return [KeyInMonth(contact_id=contact_id, occurred_at=first.occurred_at, entry_key=first.event_key)]


async def _fold_late(
    connection: Connection,
    contact_id: int,
    late: Sequence[Entry],
    now: Facts,
    *,
    policy: Policy,
    reading: LogReading,
) -> Facts:
    number = policy_number(policy)
    await delete_other_checkpoints(connection, contact_id, policy=number, shape=FACTS_SHAPE)
    folding = await _Log(
        connection, contact_id, late, policy=policy, number=number, slice_entries=reading.slice_entries
    ).folded()
    facts = folding.finish(now)
    # What is folded as it comes lies behind `latest`: no checkpoint may lie behind that.
    made = {one.key: one for one in folding.made if facts.latest is not None and one.key <= facts.latest}
    for some in _batched(made.values(), _WRITTEN_AT_ONCE):
        await write_checkpoints(connection, [_row(contact_id, one) for one in some])
    return facts


def policy_number(policy: Policy) -> int:
    """A number that only this policy has, whatever its id: 63 bits of a hash."""
    return int.from_bytes(sha256(encode_policy(policy).encode()).digest()[:8]) >> 1


class _Log:
    """The log of one contact, read as far as late entries need it."""

    def __init__(
        self,
        connection: Connection,
        contact_id: int,
        late: Sequence[Entry],
        *,
        policy: Policy,
        number: int,
        slice_entries: int,
    ) -> None:
        self._connection, self._contact_id, self._late = connection, contact_id, late
        self._policy, self._number, self._slice = policy, number, slice_entries
        self._known = NO_ANNOTATIONS
        self._changed: list[OrderKey] = []
        self._awaited: frozenset[bytes] = frozenset()

    async def folded(self) -> LateFold:
        """A fold that has come to the end of the log, or has met a checkpoint."""
        await self._annotate()
        affected = sorted([*map(order_key, self._late), *self._changed])
        nearest = await self._nearest(affected[0], affected[-1])
        folding = self._fold(nearest)
        if await self._feed(folding, until=max((one.key for one in nearest), default=None)):
            return folding
        # The facts were those of none of the nearest: all the others may have to be written anew.
        place = folding.here
        rest = await self._checkpoints(place.key if place else affected[0], limit=None)
        following = self._fold(rest, resume=place)
        following.made = folding.made
        await self._feed(following, until=None)
        return following

    async def _annotate(self) -> None:
        stored = await stored_annotations(self._connection, self._contact_id)
        before, self._known = annotations(stored), annotations([*stored, *self._late])
        named = changed_by(before, self._known) | self._known.named()
        if not named:
            return
        places = {entry.event_key: order_key(entry) for entry in self._late} | {
            place[2]: OrderKey(*place) for place in await places_of(self._connection, self._contact_id, named)
        }
        self._changed = [places[key] for key in changed_by(before, self._known) if key in places]
        self._awaited = self._known.named() - places.keys()

    async def _nearest(self, first: OrderKey, last: OrderKey) -> list[Checkpoint]:
        """The checkpoint before all that is affected, those within, and the first ones behind it."""
        number, place = self._number, _place(first)
        stored = await checkpoint_before(self._connection, self._contact_id, place, policy=number, shape=FACTS_SHAPE)
        within = await self._checkpoints(first, limit=None, until=last)
        return [*map(_checkpoint, stored), *within, *await self._checkpoints(last, limit=_AHEAD)]

    async def _checkpoints(
        self, first: OrderKey, *, limit: int | None, until: OrderKey | None = None
    ) -> list[Checkpoint]:
        rows = await checkpoints_from(
            self._connection,
            self._contact_id,
            _place(first),
            until=END if until is None else _place(until),
            policy=self._number,
            shape=FACTS_SHAPE,
            limit=limit,
        )
        return [_checkpoint(row) for row in rows]

    def _fold(self, checkpoints: Sequence[Checkpoint], *, resume: Checkpoint | None = None) -> LateFold:
        return LateFold(
            self._late,
            policy=self._policy,
            policy_id=self._number,
            checkpoints=checkpoints,
            annotations=self._known,
            changed=self._changed,
            awaited=self._awaited,
            resume=resume,
            every=self._slice,
        )

    async def _feed(self, folding: LateFold, *, until: OrderKey | None) -> bool:
        """Feeds slices up to and with the place; None: up to the end. True if nothing more needs to be read."""
        after = BEGINNING if folding.after is None else _place(folding.after)
        while entries := await first_entries(self._connection, self._contact_id, Span(after=after), limit=self._slice):
            if folding.feed(entries):
                return True
            if len(entries) < self._slice // 2:
                return True
            last = order_key(entries[-1])
            if until is not None and last > until:
                return False
            after = _place(last)
            await asyncio.sleep(0)  # whatever else this process does has its turn between two slices
        return True


def _batched(checkpoints: Iterable[Checkpoint], size: int) -> Iterator[list[Checkpoint]]:
    """So many at once: while more are encoded, nothing else of this process has its turn."""
    rest = iter(checkpoints)
    while some := list(islice(rest, size)):
        yield some


def _place(key: OrderKey) -> Place:
    return key.occurred_at, key.rank, key.event_key


def _checkpoint(row: StoredCheckpoint) -> Checkpoint:
    return Checkpoint(
        key=OrderKey(row.occurred_at, row.rank, row.entry_key),
        facts=decode_facts(row.facts),
        policy_id=row.policy,
        shape=row.shape,
    )


def _row(contact_id: int, checkpoint: Checkpoint) -> StoredCheckpoint:
    key = checkpoint.key
    return StoredCheckpoint(
        contact_id=contact_id,
        occurred_at=key.occurred_at,
        rank=key.rank,
        entry_key=key.event_key,
        policy=checkpoint.policy_id,
        shape=checkpoint.shape,
        facts=encode_facts(checkpoint.facts),
    )

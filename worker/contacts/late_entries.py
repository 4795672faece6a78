"""Folds late entries into a long log: from the checkpoint before them, until the facts meet another checkpoint.

A log of a few hundred entries is folded again as a whole, which takes one statement for many contacts. A long one is
read in slices, from the last checkpoint before the late entries. Nearly always the facts soon equal those of the next
checkpoint, and everything after it stays valid (worker/policy/late_fold.py). Every part that is read again leaves
checkpoints.

If the facts do not soon meet a checkpoint, or there is none yet, a batch does not wait: the rest is folded in the
background (worker/contacts/refold_steps.py). Until that ends, the contact has two sets of facts
(worker/policy/provisional.py). A batch reads at most `LogReading.most_entries` for all its contacts together.

A checkpoint holds the facts of the whole log up to its place. So code that folds an entry as it comes, and whose place
is before checkpoints, deletes these: `passed_checkpoints`.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from schemas.entry import Entry
from worker.contacts.open_refolds import OpenRefold
from worker.contacts.policies import NumberedPolicy
from worker.policy.annotations import NO_ANNOTATIONS, annotations
from worker.policy.checkpoint import FACTS_SHAPE, Checkpoint
from worker.policy.event_order import is_inert, order_key
from worker.policy.facts import Facts, OrderKey
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.former_base import since as entries_since
from worker.policy.former_base import with_late as base_with_late
from worker.policy.late_fold import LateFold, changed_by, places_changed
from worker.policy.policy_encoding import policy_number
from worker.policy.provisional import with_late, without_late
from worker.store.checkpoints import (
    StoredCheckpoint,
    checkpoint_before,
    checkpoints_from,
    delete_checkpoints_between,
    delete_checkpoints_since,
    delete_other_checkpoints,
    write_checkpoints,
)
from worker.store.contact_rows import FormerBase
from worker.store.known_keys import KeyInMonth
from worker.store.log_span import BEGINNING, END, Place, Span, from_time
from worker.store.pool import Connection
from worker.store.stored_entries import first_entries, places_of, stored_annotations

_WRITTEN_AT_ONCE = 100
_AHEAD = 4  # checkpoints that are tried first: nearly always the facts meet one of them


class LogReading(Struct, frozen=True, kw_only=True):
    """How the logs of contacts are read again."""

    long: int = 1_000  # a log with this many entries is long; a shorter one is folded as a whole
    slice_entries: int = 500  # read at once; also the distance of checkpoints
    most_entries: int = 2_000  # read in a batch, which takes some 50 ms; the rest in the background
    whole_entries: int = 5_000  # of all contacts together: if there are fewer, another policy folds them at once


USUAL_READING = LogReading()


class LongLog(Struct, frozen=True, kw_only=True):
    """A contact with a long log, and its new entries. Its row is locked."""

    contact_id: int
    facts: Facts  # without these entries
    entries: Sequence[Entry]
    of_row: NumberedPolicy  # the policy that its row names: the active one unless there is a re-fold
    base: FormerBase
    refold: OpenRefold | None  # under the active policy


class LateResult(Struct, frozen=True, kw_only=True):
    """The result of late entries for a contact."""

    facts: Facts  # without the late entries if there is a re-fold
    refold: OpenRefold | None = None  # folds in the rest
    base: Facts | None = None  # the facts before its oldest entry, if the new entries change them


class _Allowance(Struct, kw_only=True):
    """How many entries this batch may still read."""

    entries: int


async def fold_late_entries(
    connection: Connection, contacts: Iterable[LongLog], *, reading: LogReading, now: datetime
) -> dict[int, LateResult]:
    """The results for contacts with new entries, some of which come late; by contact id.

    Replaces or deletes checkpoints that the entries make invalid. The caller writes the rest. Raises StoreUnavailable.
    """
    allowance = _Allowance(entries=reading.most_entries)
    results = {}
    for contact in contacts:
        log = _Log(connection, contact, reading=reading, allowance=allowance)
        results[contact.contact_id] = await (log.set_back(contact.refold) if contact.refold else log.fold(now))
    return results


def passed_checkpoints(contact_id: int, facts: Facts, entries: Iterable[Entry]) -> list[KeyInMonth]:
    """The first of the entries that is older than the latest known one, and so perhaps older than checkpoints."""
    latest = facts.latest
    if latest is None:
        return []
    early = [entry for entry in entries if entry.occurred_at <= latest.occurred_at and not is_inert(entry)]
    if not early:
        return []
    first = min(early, key=order_key)
    return [KeyInMonth(contact_id=contact_id, occurred_at=first.occurred_at, entry_key=first.event_key)]


async def checkpoints_behind(
    connection: Connection, contact_id: int, place: OrderKey | None, *, policy: int, limit: int
) -> list[Checkpoint]:
    """The first checkpoints after the place; None means from the beginning."""
    rows = await checkpoints_from(
        connection,
        contact_id,
        BEGINNING if place is None else _place(place),
        until=END,
        policy=policy,
        shape=FACTS_SHAPE,
        limit=limit,
    )
    return [one for one in map(_checkpoint, rows) if place is None or one.key > place]


async def forget_checkpoints(
    connection: Connection, contact_id: int, *, after: OrderKey | None, last: OrderKey | None
) -> None:
    """Deletes the checkpoints after one place, up to and including another; None stands for either end of the log."""
    first = BEGINNING if after is None else _just_behind(after)
    await delete_checkpoints_between(connection, contact_id, first=first, last=END if last is None else _place(last))


async def keep_checkpoints(connection: Connection, contact_id: int, made: Iterable[Checkpoint], facts: Facts) -> None:
    """Writes checkpoints of the log of a contact with these facts.

    Entries that are folded as they come are later than `latest`, so no checkpoint may be later than that.
    """
    by_key = {one.key: one for one in made if facts.latest is not None and one.key <= facts.latest}
    for some in _batched(by_key.values(), _WRITTEN_AT_ONCE):
        await write_checkpoints(connection, [_row(contact_id, one) for one in some])


class _Log:
    """The log of one contact, read as far as late entries need it."""

    def __init__(self, connection: Connection, contact: LongLog, *, reading: LogReading, allowance: _Allowance) -> None:
        self._connection, self._contact_id, self._facts = connection, contact.contact_id, contact.facts
        self._of_row, self._number = contact.of_row, policy_number(contact.of_row.policy)
        self._slice, self._allowance = reading.slice_entries, allowance
        self._entries = self._late = contact.entries
        self._since, self._base = contact.base.base_until, decode_facts(contact.base.base)
        self._new_base: Facts | None = None
        if self._since is not None:
            # The base contains everything that is older, even if it is still stored.
            self._late = entries_since(self._entries, self._since)
            base = self._with_older(self._base)
            if base is not self._base:
                self._base = self._new_base = base
        self._known = NO_ANNOTATIONS
        self._changed: list[OrderKey] = []
        self._awaited: frozenset[bytes] = frozenset()

    async def fold(self, now: datetime) -> LateResult:
        """Folds the late entries as far as the batch may read; the policy of the contact's row is the active one."""
        await delete_other_checkpoints(self._connection, self._contact_id, policy=self._number, shape=FACTS_SHAPE)
        await self._annotate()
        affected = self._affected()
        if not affected:
            return LateResult(facts=self._without_late())
        if self._new_base is not None:
            await self._delete_from(affected[0])
        folding, has_ended = await self._fold_some(affected)
        facts = folding.finish(self._facts) if has_ended else self._without_late()
        here = folding.here
        if here is not None:
            await self._delete_between(affected[0], here.key)  # including those that are made again
        await self._write(folding.made, facts)
        if has_ended:
            return LateResult(facts=facts, base=self._new_base)
        rest = [entry for entry in self._late if here is None or order_key(entry) > here.key]
        reached = here.facts if here is not None else self._base
        refold = OpenRefold(
            contact_id=self._contact_id,
            requested_at=now,
            policy_id=self._of_row.id,
            policy=self._number,
            reached=here,
            last_late=self._last_late(affected),
            provisional=with_late(reached, rest, self._of_row.policy, annotations=self._known),
        )
        return LateResult(facts=facts, refold=refold, base=self._new_base)

    async def set_back(self, refold: OpenRefold) -> LateResult:
        """Sets the re-fold under way back to before the late entries. Reads no entries."""
        await self._annotate()
        affected = self._affected()
        if not affected:
            return LateResult(facts=self._without_late(), refold=refold)
        first, back_to = affected[0], refold.reached
        if self._new_base is not None or self._number != refold.policy:
            await self._delete_from(first)
        if back_to is not None and first <= back_to.key:
            await self._delete_between(first, back_to.key)
            stored = await checkpoint_before(
                self._connection, self._contact_id, _place(first), policy=refold.policy, shape=FACTS_SHAPE
            )
            back_to = _checkpoint(stored[0]) if stored else None
        before = self._with_older(refold.provisional or self._facts)
        provisional = with_late(before, self._late, self._of_row.policy, annotations=self._known)
        return LateResult(
            facts=self._without_late(),
            refold=replace(
                refold,
                provisional=provisional,
                reached=back_to,
                # If the log is read to the end, that stays so.
                last_late=self._last_late([*affected, refold.last_late]) if refold.last_late else None,
            ),
            base=self._new_base,
        )

    async def _fold_some(self, affected: Sequence[OrderKey]) -> tuple[LateFold, bool]:
        """A fold, and True if it came to the end of the log or met a checkpoint."""
        nearest = await self._nearest(affected[0], affected[-1])
        folding = self._fold(nearest)
        if await self._feed(folding, until=max((one.key for one in nearest), default=None)):
            return folding, True
        if self._allowance.entries <= 0:
            return folding, False
        # The facts meet none of the nearest checkpoints: all the others may have to be replaced.
        place = folding.here
        rest = await self._checkpoints(place.key if place else affected[0], limit=None)
        following = self._fold(rest, resume=place)
        following.made = folding.made
        return following, await self._feed(following, until=None)

    def _affected(self) -> list[OrderKey]:
        """The places of all changes in the log, in order."""
        beginning = [] if self._new_base is None else [OrderKey(*from_time(self._since))]
        return sorted([*beginning, *places_changed(self._late), *self._changed])

    def _with_older(self, facts: Facts) -> Facts:
        """The facts with the entries of the time before the base ends."""
        return facts if self._since is None else base_with_late(facts, self._since, self._entries, self._of_row.policy)

    def _without_late(self) -> Facts:
        facts = without_late(self._facts, self._late, self._of_row.policy)
        return replace(facts, awaited=tuple(sorted(self._awaited)))

    def _last_late(self, affected: Iterable[OrderKey]) -> OrderKey | None:
        """The place after which the facts may meet a checkpoint again."""
        return None if self._new_base is not None else max(affected)

    async def _delete_between(self, first: OrderKey, last: OrderKey) -> None:
        await delete_checkpoints_between(self._connection, self._contact_id, first=_place(first), last=_place(last))

    async def _delete_from(self, first: OrderKey) -> None:
        place = KeyInMonth(contact_id=self._contact_id, occurred_at=first.occurred_at, entry_key=first.event_key)
        await delete_checkpoints_since(self._connection, [place])

    async def _write(self, made: Iterable[Checkpoint], facts: Facts) -> None:
        await keep_checkpoints(self._connection, self._contact_id, made, facts)

    async def _annotate(self) -> None:
        """Finds out which entries are excluded from the fold now, and the places of those for which that changes.

        Only these are looked up in the log, because that reads all calm events of the contact.
        """
        earlier = await stored_annotations(self._connection, self._contact_id, since=self._since)
        before, self._known = annotations(earlier), annotations([*earlier, *self._late])
        named = self._known.named()
        arrived = {entry.event_key: order_key(entry) for entry in self._late}
        awaited = named & before.named() & frozenset(self._facts.awaited)
        if changed := changed_by(before, self._known):
            places = await places_of(self._connection, self._contact_id, changed - arrived.keys())
            known = {place[2]: OrderKey(*place) for place in places if self._since is None or place[0] >= self._since}
            known |= arrived
            self._changed = [known[key] for key in changed if key in known]
            awaited |= (named & changed) - known.keys()
        self._awaited = awaited - arrived.keys()

    async def _nearest(self, first: OrderKey, last: OrderKey) -> list[Checkpoint]:
        """The checkpoint before all affected places, those between them, and the first ones after them."""
        number, place = self._number, _place(first)
        stored = await checkpoint_before(self._connection, self._contact_id, place, policy=number, shape=FACTS_SHAPE)
        if self._allowance.entries <= 0:
            return [*map(_checkpoint, stored)]
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
            policy=self._of_row.policy,
            policy_id=self._number,
            checkpoints=checkpoints,
            annotations=self._known,
            changed=self._changed,
            awaited=self._awaited,
            base=self._base,
            resume=resume,
            every=self._slice,
        )

    async def _feed(self, folding: LateFold, *, until: OrderKey | None) -> bool:
        """Feeds slices up to and including the place, or to the end. True if nothing more needs to be read."""
        after = from_time(self._since) if folding.after is None else _place(folding.after)
        while self._allowance.entries > 0:
            entries = await first_entries(self._connection, self._contact_id, Span(after=after), limit=self._slice)
            self._allowance.entries -= len(entries)
            if folding.feed(entries):
                return True
            if len(entries) < self._slice // 2:
                return True
            last = order_key(entries[-1])
            if until is not None and last > until:
                return False
            after = _place(last)
            await asyncio.sleep(0)  # other work of this process has its turn between two slices
        return False


def _batched(checkpoints: Iterable[Checkpoint], size: int) -> Iterator[list[Checkpoint]]:
    """Some at a time: while they are encoded, no other work of this process has its turn."""
    rest = iter(checkpoints)
    while some := list(islice(rest, size)):
        yield some


def _just_behind(key: OrderKey) -> Place:
    return key.occurred_at, key.rank, key.event_key + b"\0"


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

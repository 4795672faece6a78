"""Re-folds that have not ended: how far each is, and what counts of its contact meanwhile.

Something came late into the contact's long log, or another policy is active since it was folded. Until the re-fold has
ended the contact stays under the policy that its row names, and so do the provisional facts.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from schemas.entry import Entry
from worker.contacts.policies import NumberedPolicy
from worker.policy.checkpoint import FACTS_SHAPE, Checkpoint, at_a_place
from worker.policy.event_order import is_inert, order_key
from worker.policy.facts import Facts, OrderKey
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.fold import fold, in_order
from worker.policy.policy_encoding import policy_number
from worker.policy.rule import Policy
from worker.store.pool import Connection, Executor
from worker.store.refolds import RefoldRow, refold_rows, write_refolds


class OpenRefold(Struct, frozen=True, kw_only=True):
    """One contact's log, folded again up to a place."""

    contact_id: int
    requested_at: datetime
    policy_id: int  # under which it is folded again
    policy: int  # a hash of that policy
    reached: Checkpoint | None  # None: the beginning of the log
    last_late: OrderKey | None  # behind it the facts may be those of a checkpoint again; None: it is read to the end
    provisional: Facts | None  # under the policy of the contact's row; None: nothing came late

    def under(self, active: NumberedPolicy) -> "OpenRefold":
        """The re-fold under this policy: from the beginning to the end if it was one under another.

        An earlier one under this policy may have left checkpoints, which know what came late up to where it was: none
        of them tells whether those behind it do.
        """
        number = policy_number(active.policy)
        if (self.policy_id, self.policy) == (active.id, number):
            return self
        return replace(self, policy_id=active.id, policy=number, reached=None, last_late=None)

    def with_appended(self, entries: Iterable[Entry], *, of_row: Policy, active: Policy) -> "OpenRefold":
        """After entries that can be folded as they come: what lies behind the place reached will be read there.

        `of_row`: the policy of the contact's row; `active`: the one of this re-fold.
        """
        provisional, reached = self.provisional, self.reached
        for entry in in_order([entry for entry in entries if not is_inert(entry)]):
            if provisional is not None:
                provisional = fold(provisional, entry, of_row)
            if reached is not None and order_key(entry) <= reached.key:
                reached = replace(reached, facts=at_a_place(fold(reached.facts, entry, active)))
        return replace(self, provisional=provisional, reached=reached)


def new_refold(contact_id: int, active: NumberedPolicy, now: datetime) -> OpenRefold:
    """The whole log is to be folded under this policy; nothing came late."""
    return OpenRefold(
        contact_id=contact_id,
        requested_at=now,
        policy_id=active.id,
        policy=policy_number(active.policy),
        reached=None,
        last_late=None,
        provisional=None,
    )


async def open_refolds(executor: Executor, contact_ids: Sequence[int]) -> Mapping[int, OpenRefold]:
    """Those of these contacts, by their ids. Raises StoreUnavailable."""
    if not contact_ids:
        return {}
    return {row.contact_id: _open_refold(row) for row in await refold_rows(executor, contact_ids)}


async def provisional_facts(executor: Executor, contact_ids: Sequence[int]) -> Mapping[int, Facts]:
    """What counts beside the own facts of those into which something came late. Raises StoreUnavailable."""
    refolds = await open_refolds(executor, contact_ids)
    return {contact_id: one.provisional for contact_id, one in refolds.items() if one.provisional is not None}


async def save_refolds(connection: Connection, refolds: Iterable[OpenRefold]) -> None:
    """Writes how far they are; their contacts are locked by this transaction."""
    await write_refolds(connection, [_row(one) for one in refolds])


def _open_refold(row: RefoldRow) -> OpenRefold:
    reached, last_late = None, None
    is_readable = row.shape == FACTS_SHAPE  # else it begins anew, and is read to the end: see `under`
    if is_readable and row.late_at is not None and row.late_rank is not None and row.late_key is not None:
        last_late = OrderKey(row.late_at, row.late_rank, row.late_key)
    if is_readable and row.occurred_at is not None and row.rank is not None and row.entry_key is not None:
        key = OrderKey(row.occurred_at, row.rank, row.entry_key)
        reached = Checkpoint(key=key, facts=decode_facts(row.facts), policy_id=row.policy, shape=row.shape)
    return OpenRefold(
        contact_id=row.contact_id,
        requested_at=row.requested_at,
        policy_id=row.policy_id,
        policy=row.policy,
        reached=reached,
        last_late=last_late,
        provisional=None if row.provisional is None else decode_facts(row.provisional or None),
    )


def _row(one: OpenRefold) -> RefoldRow:
    key, late = one.reached.key if one.reached else None, one.last_late
    return RefoldRow(
        contact_id=one.contact_id,
        requested_at=one.requested_at,
        policy_id=one.policy_id,
        policy=one.policy,
        shape=FACTS_SHAPE,
        occurred_at=key.occurred_at if key else None,
        rank=key.rank if key else None,
        entry_key=key.event_key if key else None,
        facts=encode_facts(one.reached.facts) if one.reached else None,
        late_at=late.occurred_at if late else None,
        late_rank=late.rank if late else None,
        late_key=late.event_key if late else None,
        # What came late may leave nothing, which is not the same as that nothing came late.
        provisional=None if one.provisional is None else encode_facts(one.provisional) or b"",
    )

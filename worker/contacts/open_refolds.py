"""Open re-folds: how far each one has come, and which facts of its contact count meanwhile.

An entry came late into the contact's long log, or another policy became active since it was folded. Until the re-fold
ends, the contact stays under the policy that its row names, and so do the provisional facts.
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
    policy_id: int  # of the policy under which it is folded again
    policy: int  # a hash of that policy
    reached: Checkpoint | None  # None: the beginning of the log
    last_late: OrderKey | None  # after it the facts may meet a checkpoint again; None: the log is read to the end
    provisional: Facts | None  # under the policy of the contact's row; None: no entry came late

    def under(self, active: NumberedPolicy) -> "OpenRefold":
        """The re-fold under this policy: from beginning to end if it was under another policy so far.

        An earlier re-fold under this policy may have left checkpoints that contain late entries up to its place; they
        do not show whether later checkpoints do.
        """
        number = policy_number(active.policy)
        if (self.policy_id, self.policy) == (active.id, number):
            return self
        return replace(self, policy_id=active.id, policy=number, reached=None, last_late=None)

    def with_appended(self, entries: Iterable[Entry], *, of_row: Policy, active: Policy) -> "OpenRefold":
        """The re-fold after entries that can be folded as they come. It reads those after its place later.

        `of_row` is the policy of the contact's row, `active` that of this re-fold.
        """
        provisional, reached = self.provisional, self.reached
        for entry in in_order([entry for entry in entries if not is_inert(entry)]):
            if provisional is not None:
                provisional = fold(provisional, entry, of_row)
            if reached is not None and order_key(entry) <= reached.key:
                reached = replace(reached, facts=at_a_place(fold(reached.facts, entry, active)))
        return replace(self, provisional=provisional, reached=reached)


def new_refold(contact_id: int, active: NumberedPolicy, now: datetime) -> OpenRefold:
    """A re-fold of the whole log under this policy, without late entries."""
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
    """The open re-folds of these contacts, by contact id. Raises StoreUnavailable."""
    if not contact_ids:
        return {}
    return {row.contact_id: _open_refold(row) for row in await refold_rows(executor, contact_ids)}


async def provisional_facts(executor: Executor, contact_ids: Sequence[int]) -> Mapping[int, Facts]:
    """The provisional facts of those contacts that have late entries, by contact id. Raises StoreUnavailable."""
    refolds = await open_refolds(executor, contact_ids)
    return {contact_id: one.provisional for contact_id, one in refolds.items() if one.provisional is not None}


async def save_refolds(connection: Connection, refolds: Iterable[OpenRefold]) -> None:
    """Writes the re-folds. This transaction has locked their contacts."""
    await write_refolds(connection, [_row(one) for one in refolds])


def _open_refold(row: RefoldRow) -> OpenRefold:
    reached, last_late = None, None
    is_readable = row.shape == FACTS_SHAPE  # otherwise it starts again and reads to the end: see `under`
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
        # Late entries may leave no facts, which is not the same as no late entries.
        provisional=None if one.provisional is None else encode_facts(one.provisional) or b"",
    )

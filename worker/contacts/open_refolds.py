"""Re-folds that have not ended: how far each is, and what counts of its contact meanwhile."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from schemas.entry import Entry
from worker.policy.annotations import Annotations
from worker.policy.checkpoint import FACTS_SHAPE, Checkpoint, at_a_place
from worker.policy.event_order import is_inert, order_key
from worker.policy.facts import Facts, OrderKey
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.fold import fold, in_order
from worker.policy.provisional import with_late
from worker.policy.rule import Policy
from worker.store.pool import Connection, Executor
from worker.store.refolds import RefoldRow, refold_rows, write_refolds


class OpenRefold(Struct, frozen=True, kw_only=True):
    """One contact's log, folded again up to a place."""

    contact_id: int
    requested_at: datetime
    policy_id: int  # as in contacts
    policy: int  # a hash of it
    reached: Checkpoint | None  # None: the beginning of the log
    provisional: Facts

    def with_appended(self, entries: Iterable[Entry], policy: Policy) -> "OpenRefold":
        """After entries that can be folded as they come: what lies behind the place reached will be read there."""
        provisional, reached = self.provisional, self.reached
        for entry in in_order([entry for entry in entries if not is_inert(entry)]):
            provisional = fold(provisional, entry, policy)
            if reached is not None and order_key(entry) <= reached.key:
                reached = replace(reached, facts=at_a_place(fold(reached.facts, entry, policy)))
        return replace(self, provisional=provisional, reached=reached)

    def with_late(
        self, late: Sequence[Entry], policy: Policy, *, annotations: Annotations, back_to: Checkpoint | None
    ) -> "OpenRefold":
        """After entries that come late: they count at once, and the re-fold goes on from `back_to`."""
        provisional = with_late(self.provisional, late, policy, annotations=annotations)
        return replace(self, provisional=provisional, reached=back_to)


async def open_refolds(executor: Executor, contact_ids: Sequence[int]) -> Mapping[int, OpenRefold]:
    """Those of these contacts, by their ids. Raises StoreUnavailable."""
    if not contact_ids:
        return {}
    return {row.contact_id: _open_refold(row) for row in await refold_rows(executor, contact_ids)}


async def provisional_facts(executor: Executor, contact_ids: Sequence[int]) -> Mapping[int, Facts]:
    """What counts beside the own facts of those that are being folded again. Raises StoreUnavailable."""
    return {contact_id: one.provisional for contact_id, one in (await open_refolds(executor, contact_ids)).items()}


async def save_refolds(connection: Connection, refolds: Iterable[OpenRefold]) -> None:
    """Writes how far they are; their contacts are locked by this transaction."""
    await write_refolds(connection, [_row(one) for one in refolds])


def _open_refold(row: RefoldRow) -> OpenRefold:
    reached = None
    if row.occurred_at is not None and row.rank is not None and row.entry_key is not None and row.shape == FACTS_SHAPE:
        key = OrderKey(row.occurred_at, row.rank, row.entry_key)
        reached = Checkpoint(key=key, facts=decode_facts(row.facts), policy_id=row.policy, shape=row.shape)
    return OpenRefold(
        contact_id=row.contact_id,
        requested_at=row.requested_at,
        policy_id=row.policy_id,
        policy=row.policy,
        reached=reached,
        provisional=decode_facts(row.provisional),
    )


def _row(one: OpenRefold) -> RefoldRow:
    key = one.reached.key if one.reached else None
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
        provisional=encode_facts(one.provisional),
    )

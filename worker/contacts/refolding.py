"""A contact that was folded under a former policy is folded again under the active one, from all that is stored."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from worker.contacts.contact_state import contact_standing, contact_state
from worker.contacts.open_refolds import provisional_facts
from worker.contacts.policies import NumberedPolicy, Policies
from worker.contacts.status_change import is_bulk, is_status_change, status_change
from worker.policy.facts import Facts
from worker.policy.facts_encoding import decode_facts, facts_from_row
from worker.policy.fold import fold_all
from worker.policy.former_base import since as events_since
from worker.policy.rule import Policy
from worker.store.contact_rows import (
    ContactKey,
    ContactRow,
    ContactStanding,
    ContactState,
    FormerBase,
    LockedContact,
    bases_of,
)
from worker.store.pool import Connection
from worker.store.refolds import delete_refolds
from worker.store.status_history import StatusChange
from worker.store.stored_entries import stored_entries_by_contact

_AT_A_STRETCH = 20


class Refolded(Struct, kw_only=True):
    """What has to be written for contacts that were folded again."""

    states: dict[int, ContactState] = {}
    changes: list[StatusChange] = []


def is_overtaken(row: LockedContact | ContactRow, active: NumberedPolicy) -> bool:
    """True if the row has to be folded again before it is changed."""
    return row.latest_ordered_at is not None and not active.has_folded(row.policy_id)


async def facts_under(
    connection: Connection, rows: Sequence[ContactRow | FormerBase], policy: Policy
) -> dict[int, Facts]:
    """The facts of these contacts, folded from all that is stored of them. Raises StoreUnavailable."""
    stored = await stored_entries_by_contact(connection, [row.id for row in rows])
    facts = {}
    for number, row in enumerate(rows, start=1):
        entries = stored.get(row.id, [])
        if row.base_until is not None:
            entries = events_since(entries, row.base_until)
        facts[row.id] = fold_all(decode_facts(row.base), entries, policy)
        if number % _AT_A_STRETCH == 0:
            await asyncio.sleep(0)  # live events of this process go on meanwhile
    return facts


async def facts_anew(connection: Connection, rows: Sequence[LockedContact], active: NumberedPolicy) -> dict[int, Facts]:
    """The facts under the active policy of those of these contacts that were folded under a former one."""
    overtaken = [row.id for row in rows if is_overtaken(row, active)]
    if not overtaken:
        return {}
    return await facts_under(connection, list((await bases_of(connection, overtaken)).values()), active.policy)


async def refold_contacts(
    connection: Connection,
    rows: Sequence[ContactRow],
    *,
    active: NumberedPolicy,
    policies: Policies,
    now: datetime,
) -> Refolded:
    """Folds locked contacts under the active policy; the caller writes what follows. Raises StoreUnavailable."""
    refolded = Refolded()
    if not rows:
        return refolded
    former = await policies.of_all(connection, {row.policy_id for row in rows})
    ids = [row.id for row in rows]
    provisional = await provisional_facts(connection, ids)
    await delete_refolds(connection, ids)  # this folds in everything
    facts = await facts_under(connection, rows, active.policy)
    for row in rows:
        old, line = standing_until_now(
            row, former[row.policy_id].policy, now, key=row.key, provisional=provisional.get(row.id)
        )
        state = contact_state(facts[row.id], active.policy, now, policy_id=active.id)
        refolded.states[row.id] = state
        refolded.changes += line
        refolded.changes += policy_lines(old, state.standing, active, contact_id=row.id, key=row.key, now=now)
    return refolded


def standing_until_now(
    row: LockedContact | ContactRow,
    policy: Policy,
    now: datetime,
    *,
    key: ContactKey,
    provisional: Facts | None = None,
) -> tuple[LockedContact | ContactRow | ContactStanding, list[StatusChange]]:
    """Where a contact stands under the policy of its row, and its line if time has changed that unwritten."""
    if row.next_change_at is None or row.next_change_at > now:
        return row, []
    then = contact_standing(facts_from_row(row), policy, now, provisional)
    if not is_status_change(row, then):
        return then, []
    bulk = is_bulk(row.next_change_at, now)
    return then, [status_change(row, then, contact_id=row.id, contact=key, now=now, actor="time", bulk=bulk)]


def policy_lines(
    old: LockedContact | ContactRow | ContactStanding,
    new: ContactStanding,
    active: NumberedPolicy,
    *,
    contact_id: int,
    key: ContactKey,
    now: datetime,
) -> list[StatusChange]:
    """The line that the history gets where another policy alone has changed a contact's standing."""
    if not is_status_change(old, new):
        return []
    note = f"folded again under policy {active.id}, {active.policy.name}"
    change = status_change(old, new, contact_id=contact_id, contact=key, now=now, actor="policy", note=note, bulk=True)
    return [change]

"""Folds contacts that were folded under a former policy again, under the active one, from their stored entries.

A contact with a long log is left to the background (refold_steps.py), and stays under the former policy until then.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from worker.contacts.contact_state import contact_standing, contact_state
from worker.contacts.late_entries import USUAL_READING, LogReading
from worker.contacts.open_refolds import OpenRefold, new_refold, open_refolds
from worker.contacts.policies import UNNUMBERED, NumberedPolicy, Policies
from worker.contacts.status_change import is_bulk, is_status_change, status_change
from worker.policy.facts import Facts
from worker.policy.facts_encoding import decode_facts, facts_from_row
from worker.policy.fold import fold_all
from worker.policy.former_base import since as events_since
from worker.policy.rule import Policy
from worker.store.checkpoints import have_entries, long_logs
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
from worker.store.status_history import StatusChange
from worker.store.stored_entries import stored_entries_by_contact

_AT_A_STRETCH = 20


class Refolded(Struct, kw_only=True):
    """The rows to write for contacts that were folded again, or left to the background."""

    states: dict[int, ContactState] = {}
    changes: list[StatusChange] = []
    left: list[OpenRefold] = []  # the re-folds in the background
    requested: list[OpenRefold] = []  # the new ones among them


def is_overtaken(row: LockedContact | ContactRow, active: NumberedPolicy) -> bool:
    """True if the contact must be folded again before its row is changed."""
    return row.latest_ordered_at is not None and not active.has_folded(row.policy_id)


async def facts_under(
    connection: Connection, rows: Sequence[ContactRow | FormerBase], policy: Policy
) -> dict[int, Facts]:
    """The facts of these contacts, folded from all their stored entries. Raises StoreUnavailable."""
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
    """The facts under the active policy, of those contacts that were folded under a former one."""
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
    reading: LogReading = USUAL_READING,
) -> Refolded:
    """Folds locked contacts under the active policy; the caller writes the result. Raises StoreUnavailable.

    Contacts that are left to the background get their standing at `now` under their former policies.
    """
    refolded = Refolded()
    if not rows:
        return refolded
    former = await policies.of_all(connection, {row.policy_id for row in rows})
    under_way = await open_refolds(connection, [row.id for row in rows])
    others = [row.id for row in rows if row.id not in under_way]
    requested = await _requested(connection, others, active, reading, now)
    refolds = {**{contact_id: refold.under(active) for contact_id, refold in under_way.items()}, **requested}
    facts = await facts_under(connection, [row for row in rows if row.id not in refolds], active.policy)
    for row in rows:
        of_row, refold = former[row.policy_id].policy, refolds.get(row.id)
        provisional = None if refold is None else refold.provisional
        old, line = standing_until_now(row, of_row, now, key=row.key, provisional=provisional)
        refolded.changes += line
        if refold is None:
            state = contact_state(facts[row.id], active.policy, now, policy_id=active.id)
            refolded.changes += policy_lines(old, state.standing, active, contact_id=row.id, key=row.key, now=now)
        else:
            mark = row.policy_id or UNNUMBERED
            state = contact_state(facts_from_row(row), of_row, now, policy_id=mark, provisional=provisional)
            refolded.left.append(refold)
        refolded.states[row.id] = state
    refolded.requested += requested.values()
    return refolded


async def _requested(
    connection: Connection, contact_ids: Sequence[int], active: NumberedPolicy, reading: LogReading, now: datetime
) -> dict[int, OpenRefold]:
    """New re-folds for contacts whose logs are too long to be folded here, by contact id."""
    if not await have_entries(connection, contact_ids, at_least=reading.whole_entries):
        return {}
    long = await long_logs(connection, contact_ids, most=reading.long)
    return {contact_id: new_refold(contact_id, active, now) for contact_id in long}


def standing_until_now(
    row: LockedContact | ContactRow,
    policy: Policy,
    now: datetime,
    *,
    key: ContactKey,
    provisional: Facts | None = None,
) -> tuple[LockedContact | ContactRow | ContactStanding, list[StatusChange]]:
    """A contact's standing under the policy of its row, and the change to write if time alone has changed it."""
    if row.next_change_at is None or row.next_change_at > now:
        return row, []
    then = contact_standing(facts_from_row(row), policy, now, provisional)
    if not is_status_change(row, then):
        return then, []
    bulk = is_bulk(row.next_change_at, now)
    return then, [status_change(row, then, contact_id=row.id, contact=key, now=now, actor="time", bulk=bulk)]


def policy_note(active: NumberedPolicy) -> str:
    """The note in the history for a change that this policy makes."""
    return f"folded again under policy {active.id}, {active.policy.name}"


def policy_lines(
    old: LockedContact | ContactRow | ContactStanding,
    new: ContactStanding,
    active: NumberedPolicy,
    *,
    contact_id: int,
    key: ContactKey,
    now: datetime,
) -> list[StatusChange]:
    """The change to write if another policy alone changes a contact's standing."""
    if not is_status_change(old, new):
        return []
    note = policy_note(active)
    change = status_change(old, new, contact_id=contact_id, contact=key, now=now, actor="policy", note=note, bulk=True)
    return [change]

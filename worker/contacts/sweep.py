"""Holds end by themselves: readers see it at that very moment, and this sweep writes it to the history."""

from datetime import UTC, datetime

from worker.contacts.contact_state import contact_state
from worker.contacts.late_entries import USUAL_READING, LogReading
from worker.contacts.open_refolds import provisional_facts, save_refolds
from worker.contacts.policies import UNNUMBERED, Policies
from worker.contacts.refold_report import report_requested
from worker.contacts.refolding import is_overtaken, refold_contacts
from worker.contacts.status_change import is_bulk, is_status_change, report_changes, status_change
from worker.policy.facts_encoding import facts_from_row
from worker.process.logs import get_logger
from worker.store.contact_rows import lock_due_contacts, update_contacts
from worker.store.pool import WriterPool
from worker.store.status_history import append_status_changes
from worker.store.writer_pool import writing

_log = get_logger()
_CONTACTS_AT_ONCE = 1000


async def sweep(
    pool: WriterPool, policies: Policies, *, now: datetime | None = None, reading: LogReading = USUAL_READING
) -> int:
    """Writes every change that time alone has made by `now` to the history; returns how many contacts changed.

    Contacts that were folded under a former policy are folded again under the active one, or left to the background if
    their logs are long. Several sweeps may run: each takes contacts that no other one has locked. Raises
    StoreUnavailable.
    """
    now = now or datetime.now(UTC)
    total = 0
    while swept := await _sweep_some(pool, policies, now, reading):
        total += swept
    if total:
        _log.info("sweep.applied", contacts=total)
    return total


async def _sweep_some(pool: WriterPool, policies: Policies, now: datetime, reading: LogReading) -> int:
    async with writing(pool, "sweeping holds that ended") as connection:
        due = await lock_due_contacts(connection, now, _CONTACTS_AT_ONCE)
        known_id = max((row.policy_id or UNNUMBERED for row in due), default=UNNUMBERED)
        active = await policies.active(connection, known_id=known_id)
        overtaken = [row for row in due if is_overtaken(row, active)]
        refolded = await refold_contacts(
            connection, overtaken, active=active, policies=policies, now=now, reading=reading
        )
        provisional = await provisional_facts(connection, [row.id for row in due])
        await save_refolds(connection, refolded.left)
        states = {
            row.id: contact_state(
                facts_from_row(row), active.policy, now, policy_id=active.id, provisional=provisional.get(row.id)
            )
            for row in due
            if row.id not in refolded.states
        }
        await update_contacts(connection, {**states, **refolded.states})
        changes = refolded.changes + [
            status_change(
                row,
                states[row.id].standing,
                contact_id=row.id,
                contact=row.key,
                now=now,
                actor="time",
                bulk=row.next_change_at is not None and is_bulk(row.next_change_at, now),
            )
            for row in due
            if row.id in states and is_status_change(row, states[row.id].standing)
        ]
        await append_status_changes(connection, changes)
    report_changes(changes)
    report_requested(refolded.requested)
    return len(due)

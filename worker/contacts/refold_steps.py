"""Steps of the re-folds in the background: each folds a piece of one contact's log, in a transaction of its own.

A step locks the contact, reads on from the place reached, and stores the new place. So any process may take the next
step, a killed process leaves nothing half done, and new entries wait for one step at most. The step that reaches the
end of the log holds the lock under which all entries were written: its facts are those of folding the whole log.
"""

import asyncio
import time
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from worker.contacts.contact_state import contact_state
from worker.contacts.late_entries import checkpoints_behind, forget_checkpoints, keep_checkpoints
from worker.contacts.open_refolds import OpenRefold, open_refolds, save_refolds
from worker.contacts.policies import UNNUMBERED, NumberedPolicy, Policies
from worker.contacts.refolding import is_overtaken, policy_note, standing_until_now
from worker.contacts.status_change import is_status_change, status_change
from worker.policy.annotations import annotations
from worker.policy.checkpoint import FACTS_SHAPE, Checkpoint
from worker.policy.event_order import order_key
from worker.policy.facts_encoding import decode_facts, facts_from_row
from worker.policy.late_fold import LateFold
from worker.store.checkpoints import delete_other_checkpoints
from worker.store.contact_rows import ContactRow, ContactStanding, LockedContact, update_contacts
from worker.store.log_span import Span, from_time
from worker.store.pool import Connection, WriterConnection
from worker.store.refolds import delete_refolds
from worker.store.status_history import StatusChange, append_status_changes
from worker.store.stored_entries import first_entries, stored_annotations

_AHEAD = 50  # checkpoints: a step reads no further
NOTE = "what came late is folded in"


class RefoldStep(Struct, frozen=True, kw_only=True):
    """The result of one step."""

    entries: int  # folded in this step
    has_ended: bool
    waited_seconds: float  # since the re-fold was requested
    changes: list[StatusChange] = []  # in the history now; to log after the commit


async def refold_some(
    connection: WriterConnection,
    row: ContactRow,
    policies: Policies,
    *,
    now: datetime,
    seconds: float,
    slice_entries: int,
) -> RefoldStep | None:
    """Continues the re-fold of a locked contact for about this many seconds; None if it has no re-fold any more.

    Raises StoreUnavailable.
    """
    refold = (await open_refolds(connection, [row.id])).get(row.id)
    if refold is None:
        return None
    active = await policies.active(connection, known_id=max(refold.policy_id, row.policy_id or UNNUMBERED))
    refold = refold.under(active)
    folding, has_ended = await _fold(
        connection, refold, row, active, ends_at=time.monotonic() + seconds, slice_entries=slice_entries
    )
    facts = facts_from_row(row)
    here = folding.here
    await _renew_checkpoints(connection, row, refold, folding, to_the_end=has_ended and not folding.met)
    if has_ended and is_overtaken(row, active):
        await delete_other_checkpoints(connection, row.id, policy=refold.policy, shape=FACTS_SHAPE)
    changes: list[StatusChange] = []
    if has_ended:
        of_row = (await policies.of(connection, row.policy_id)).policy
        old, changes = standing_until_now(row, of_row, now, key=row.key, provisional=refold.provisional)
        state = contact_state(folding.finish(facts), active.policy, now, policy_id=active.id)
        if is_status_change(old, state.standing):
            changes.append(_change(row, old, state.standing, active, came_late=refold.provisional is not None, now=now))
        await update_contacts(connection, {row.id: state})
        await delete_refolds(connection, [row.id])
        await append_status_changes(connection, changes)
    else:
        await save_refolds(connection, [replace(refold, reached=here)])
    return RefoldStep(
        entries=folding.folded,
        has_ended=has_ended,
        waited_seconds=(now - refold.requested_at).total_seconds(),
        changes=changes,
    )


async def _renew_checkpoints(
    connection: Connection, row: ContactRow, refold: OpenRefold, folding: LateFold, *, to_the_end: bool
) -> None:
    """Deletes the checkpoints that were passed, which do not contain the late entries, and writes the new ones."""
    if folding.here is not None:
        after = refold.reached.key if refold.reached else None
        await forget_checkpoints(connection, row.id, after=after, last=None if to_the_end else folding.here.key)
    await keep_checkpoints(connection, row.id, folding.made, facts_from_row(row))


def _change(
    row: ContactRow,
    old: ContactStanding | ContactRow | LockedContact,
    new: ContactStanding,
    active: NumberedPolicy,
    *,
    came_late: bool,
    now: datetime,
) -> StatusChange:
    """The change that the re-fold makes: by the policy if another one is active now, otherwise by late entries."""
    actor, notes = "events", [NOTE] if came_late else []
    if is_overtaken(row, active):
        actor, notes = "policy", [policy_note(active), *notes]
    return status_change(
        old, new, contact_id=row.id, contact=row.key, now=now, actor=actor, note="; ".join(notes), bulk=True
    )


async def _fold(
    connection: Connection,
    refold: OpenRefold,
    row: ContactRow,
    active: NumberedPolicy,
    *,
    ends_at: float,
    slice_entries: int,
) -> tuple[LateFold, bool]:
    """The fold from the place reached, and True if it came to the end of the log or met a checkpoint."""
    ahead: list[Checkpoint] = []
    if refold.last_late is not None and not is_overtaken(row, active):
        place = refold.reached.key if refold.reached else None
        ahead = await checkpoints_behind(connection, row.id, place, policy=refold.policy, limit=_AHEAD)
    folding = LateFold(
        policy=active.policy,
        policy_id=refold.policy,
        checkpoints=ahead,
        annotations=annotations(await stored_annotations(connection, row.id, since=row.base_until)),
        awaited=facts_from_row(row).awaited,
        base=decode_facts(row.base),
        resume=refold.reached,
        last_late=refold.last_late,
        every=slice_entries,
    )
    after = from_time(row.base_until)
    if folding.after is not None:
        after = (folding.after.occurred_at, folding.after.rank, folding.after.event_key)
    while entries := await first_entries(connection, row.id, Span(after=after), limit=slice_entries):
        if folding.feed(entries):
            break
        last = entries[-1]
        after = (last.occurred_at, order_key(last).rank, last.event_key)
        if len(entries) < slice_entries // 2:
            break
        if time.monotonic() >= ends_at:
            return folding, False
        await asyncio.sleep(0)  # other work of this process has its turn between two slices
    return folding, True

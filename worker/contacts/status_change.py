"""What follows from a changed standing: a line in the history, from which it is announced, and a line in the log."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.vocabulary import FREE_STATUSES
from worker.process import metrics
from worker.process.logs import contact_field, get_logger
from worker.store.contact_rows import ContactKey, ContactRow, ContactStanding, LockedContact
from worker.store.status_history import StatusChange

_log = get_logger()
_FRESH = timedelta(minutes=15)


def is_status_change(old: ContactStanding | LockedContact | ContactRow, new: ContactStanding) -> bool:
    """True when the history gets a line: another status, other mail forbidden, or another hold."""
    if old.status in FREE_STATUSES and new.status in FREE_STATUSES:
        return False
    return (old.status, old.blocks, old.status_until) != (new.status, new.blocks, new.status_until)


def status_change(
    old: ContactStanding | LockedContact | ContactRow,
    new: ContactStanding,
    *,
    contact_id: int,
    contact: ContactKey,
    now: datetime,
    actor: str,
    delivery_id: UUID | None = None,
    note: str | None = None,
    bulk: bool = False,
) -> StatusChange:
    """The change from one standing to the other, by `actor` at `now`."""
    return StatusChange(
        contact=contact,
        contact_id=contact_id,
        recorded_at=now,
        since=new.status_since,
        until=new.status_until,
        old_status=old.status,
        new_status=new.status,
        old_blocks=old.blocks,
        new_blocks=new.blocks,
        cause=new.cause,
        rule=new.rule,
        event_key=new.status_event_key,
        delivery_id=delivery_id,
        actor=actor,
        note=note,
        bulk=bulk,
    )


def change_by_entries(
    old: ContactStanding | LockedContact | ContactRow,
    new: ContactStanding,
    entries: Sequence[Entry],
    *,
    contact_id: int,
    contact: ContactKey,
    now: datetime,
    bulk: bool,
) -> StatusChange:
    """The change that these entries of the contact have made: by whom, and with whose note."""
    actor, note, delivery_id = "events", None, None
    for entry in entries:
        if isinstance(entry, Decision):
            actor, note = entry.actor, entry.note
        elif entry.event_key == new.status_event_key:
            delivery_id = entry.delivery_id
    return status_change(
        old,
        new,
        contact_id=contact_id,
        contact=contact,
        now=now,
        actor=actor,
        delivery_id=delivery_id,
        note=note,
        bulk=bulk or (bool(entries) and is_bulk(max(entry.occurred_at for entry in entries), now)),
    )


def is_bulk(happened_at: datetime, now: datetime) -> bool:
    """True of what happened a while before it takes effect: replays, imports, what an outage has piled up."""
    return now - happened_at > _FRESH


def report_changes(changes: Iterable[StatusChange], *, with_lines: bool = True) -> None:
    """Tells the operator of changes that are committed: each has a line in the log and counts in the metrics."""
    for change in changes:
        if with_lines:
            _log_change(change)
        metrics.STATUS_CHANGES.labels(change.new_status).inc()


def _log_change(change: StatusChange) -> None:
    contact = change.contact
    _log.info(
        "status.changed",
        contact_id=change.contact_id,
        contact=contact_field(contact.address),
        account=contact.account,
        channel=contact.channel,
        old_status=change.old_status,
        new_status=change.new_status,
        cause=change.cause,
        rule=change.rule,
        until=change.until.isoformat() if change.until else None,
        actor=change.actor,
        delivery_id=str(change.delivery_id) if change.delivery_id else None,
    )

"""What follows from a changed status: a line in the history, from which it is announced, and a line in the log."""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from worker.process.logs import contact_field, get_logger
from worker.store.contact_rows import ContactRow
from worker.store.status_history import StatusChangeRow

_log = get_logger()
_FRESH = timedelta(minutes=15)


class StatusChange(Struct, frozen=True, kw_only=True, gc=False):
    """One contact, before and after."""

    contact_id: int
    old: ContactRow
    new: ContactRow
    delivery_id: UUID | None = None  # the webhook whose event brought it about
    actor: str  # 'events', 'time', 'policy', 'migration', or a person's name
    note: str | None = None
    bulk: bool = False  # fresh changes are told before it


def history_row(change: StatusChange, *, now: datetime) -> StatusChangeRow:
    """The change as a line of the history."""
    old, new = change.old, change.new
    return StatusChangeRow(
        contact_id=change.contact_id,
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
        delivery_id=change.delivery_id,
        actor=change.actor,
        note=change.note,
        bulk=change.bulk,
    )


def is_bulk(happened_at: datetime, now: datetime) -> bool:
    """True of what happened a while before it takes effect: replays, imports, what an outage has piled up."""
    return now - happened_at > _FRESH


def log_change(change: StatusChange) -> None:
    """One line for the operator."""
    new = change.new
    _log.info(
        "status.changed",
        contact_id=change.contact_id,
        contact=contact_field(new.address),
        account=new.account,
        channel=new.channel,
        old_status=change.old.status,
        new_status=new.status,
        cause=new.cause,
        rule=new.rule,
        until=new.status_until.isoformat() if new.status_until else None,
        actor=change.actor,
        delivery_id=str(change.delivery_id) if change.delivery_id else None,
    )

"""What follows from a changed status: a line in the history, a message for the outbox, a line in the log."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from schemas.envelope import new_delivery_id
from schemas.outgoing import StatusChanged
from schemas.queue_topology import status_routing_key
from schemas.vocabulary import Blocks, Cause, Channel, Status
from worker.logs import contact_field, get_logger
from worker.store.contact_rows import ContactRow
from worker.store.status_history import OutgoingRow, StatusChangeRow

_log = get_logger()
_encode = msgspec.json.Encoder().encode


class StatusChange(Struct, frozen=True, kw_only=True, gc=False):
    """One contact, before and after."""

    contact_id: int
    old: ContactRow
    new: ContactRow
    delivery_id: UUID | None = None  # the webhook whose event brought it about
    actor: str  # 'events', 'time', 'policy', or a person's name
    note: str | None = None


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
    )


def outgoing_row(change: StatusChange, *, now: datetime) -> OutgoingRow:
    """The change as a message on its way to the topic exchange."""
    new = change.new
    message_id = new_delivery_id()
    message = StatusChanged(
        message_id=message_id,
        account=new.account,
        channel=Channel(new.channel),
        address=new.address,
        old_status=Status(change.old.status),
        new_status=Status(new.status),
        blocks=Blocks(new.blocks),
        since=new.status_since,
        until=new.status_until,
        cause=Cause(new.cause),
        rule=new.rule,
        recorded_at=now,
    )
    return OutgoingRow(message_id=message_id, routing_key=status_routing_key(new.status), body=_encode(message))


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

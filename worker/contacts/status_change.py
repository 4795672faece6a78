"""The consequences of a changed standing: an entry in the history, which is then announced, and a log line."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.mailbox_provider import mailbox_provider
from schemas.vocabulary import FREE_STATUSES, Channel
from worker.process import metrics
from worker.process.logs import contact_field, get_logger
from worker.store.contact_rows import ContactKey, ContactRow, ContactStanding, LockedContact
from worker.store.status_history import StatusChange

_log = get_logger()
_FRESH = timedelta(minutes=15)


def is_status_change(old: ContactStanding | LockedContact | ContactRow, new: ContactStanding) -> bool:
    """True if the history gets an entry: another status, other forbidden mail, or another hold."""
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
    event: FeedbackEvent | None = None,
    note: str | None = None,
    bulk: bool = False,
) -> StatusChange:
    """The change from one standing to the other, by `actor` at `now`; `event` is its cause, if it has one."""
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
        delivery_id=event.delivery_id if event is not None else None,
        actor=actor,
        note=note,
        bulk=bulk,
        event=event,
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
    """The change by these entries of the contact, with its actor and note."""
    actor, note = "events", None
    event: FeedbackEvent | None = None
    for entry in entries:
        if isinstance(entry, Decision):
            actor, note = entry.actor, entry.note
        elif entry.event_key == new.status_event_key:
            event = entry
    return status_change(
        old,
        new,
        contact_id=contact_id,
        contact=contact,
        now=now,
        actor=actor,
        event=event,
        note=note,
        bulk=bulk or (bool(entries) and is_bulk(max(entry.occurred_at for entry in entries), now)),
    )


def is_bulk(happened_at: datetime, now: datetime) -> bool:
    """True if it happened a while before it takes effect: a replay, an import, the backlog of an outage."""
    return now - happened_at > _FRESH


def report_changes(
    changes: Iterable[StatusChange], *, with_lines: bool = True, trace_ids: Mapping[UUID, str] | None = None
) -> None:
    """Logs and counts changes that are committed.

    `trace_ids` are the traces of deliveries, if there are any.
    """
    now = datetime.now(UTC)
    for change in changes:
        if with_lines:
            _log_change(change, now, trace_ids)
        metrics.STATUS_CHANGES.labels(change.new_status).inc()


def _log_change(change: StatusChange, now: datetime, trace_ids: Mapping[UUID, str] | None) -> None:
    contact, event = change.contact, change.event
    domain = contact.address.rpartition("@")[2] if contact.channel == Channel.EMAIL else None
    _log.info(
        "status.changed",
        contact_id=change.contact_id,
        contact=contact_field(contact.address),
        account=contact.account,
        channel=contact.channel,
        old_status=change.old_status,
        new_status=change.new_status,
        old_blocks=change.old_blocks,
        new_blocks=change.new_blocks,
        cause=change.cause,
        rule=change.rule,
        until=change.until.isoformat() if change.until else None,
        actor=change.actor,
        source=event.source if event is not None else None,
        provider=event.provider if event is not None else None,
        domain=domain,
        mailbox_provider=mailbox_provider(domain) if domain is not None else None,
        age_seconds=round((now - event.received_at).total_seconds(), 3) if event is not None else None,
        delivery_id=str(change.delivery_id) if change.delivery_id else None,
        **trace_field(change.delivery_id, trace_ids),
    )


def trace_field(delivery_id: UUID | None, trace_ids: Mapping[UUID, str] | None) -> dict[str, str]:
    """The field of a line that names the delivery's trace; none if it has none."""
    if not trace_ids or delivery_id is None or delivery_id not in trace_ids:
        return {}
    return {"trace_id": trace_ids[delivery_id]}

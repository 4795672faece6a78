"""Between a contact's row and what the policy works with: facts and standing."""

from datetime import datetime

import msgspec

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Channel, Status
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_detail, facts_from_row
from worker.policy.rule import Policy
from worker.policy.standing import next_change_at, standing
from worker.store.contact_rows import ContactKey, ContactRow

# These two differ only by engagement, which the times tell better. A move between them is no change of status:
# it is neither written to the history nor announced, or the first campaign would write a line for every contact.
_FREE = {Status.NEW, Status.ACTIVE}


def contact_key(event: FeedbackEvent) -> ContactKey | None:
    """Whose event it is, or None when it names nobody."""
    return None if event.address is None else (event.address, event.account, event.channel)


def unknown_contact(key: ContactKey, first_seen_at: datetime) -> ContactRow:
    """A contact of whom nothing is stored yet."""
    address, account, channel = key
    return ContactRow(id=0, address=address, account=account, channel=Channel(channel), first_seen_at=first_seen_at)


def facts_of(row: ContactRow) -> Facts:
    """The facts in the row."""
    return facts_from_row(
        last_delivered_at=row.last_delivered_at,
        last_delivered_message=row.last_delivered_message,
        last_opened_at=row.last_opened_at,
        last_clicked_at=row.last_clicked_at,
        latest_at=row.latest_at,
        latest_key=row.latest_key,
        latest_ordered_at=row.latest_ordered_at,
        latest_ordered_key=row.latest_ordered_key,
        detail=row.facts_detail,
    )


def row_with(row: ContactRow, facts: Facts, policy: Policy, now: datetime) -> ContactRow:
    """The row with these facts in it, and the standing that follows from them at `now`."""
    shown = standing(facts, policy, now)
    return msgspec.structs.replace(
        row,
        status=shown.status,
        blocks=shown.blocks,
        # Of a free contact `since` is only the last news, and moves with every event: the times tell it already.
        status_since=None if shown.status in _FREE else shown.since,
        status_until=shown.until,
        next_change_at=next_change_at(facts, policy, now),
        cause=shown.cause,
        rule=shown.rule,
        status_event_key=shown.event_key,
        lift_by=tuple(sorted(shown.lift_by)) or None,
        last_delivered_at=facts.last_delivered_at,
        last_delivered_message=facts.last_delivered_message,
        last_opened_at=facts.last_opened_at,
        last_clicked_at=facts.last_clicked_at,
        latest_at=facts.latest.occurred_at if facts.latest else None,
        latest_key=facts.latest.event_key if facts.latest else None,
        latest_ordered_at=facts.latest_ordered.occurred_at if facts.latest_ordered else None,
        latest_ordered_key=facts.latest_ordered.event_key if facts.latest_ordered else None,
        facts_detail=facts_detail(facts),
    )


def is_status_change(old: ContactRow, new: ContactRow) -> bool:
    """True when the history gets a line: another status, other mail forbidden, or another hold."""
    if old.status in _FREE and new.status in _FREE:
        return False
    return (old.status, old.blocks, old.status_until) != (new.status, new.blocks, new.status_until)


def only_times_differ(old: ContactRow, new: ContactRow) -> bool:
    """True when nothing but last-delivered, -opened, -clicked and latest is new."""
    return (
        old.status == new.status
        and old.status_since == new.status_since
        and old.status_event_key == new.status_event_key
        and old.facts_detail == new.facts_detail
        and old.latest_ordered_key == new.latest_ordered_key
        and old.status_until == new.status_until
        and old.next_change_at == new.next_change_at
    )

"""Between a contact's row and what the policy works with: facts and standing."""

from datetime import datetime

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Channel, Status
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_detail, facts_from_row
from worker.policy.rule import Policy
from worker.policy.standing import next_change_at, standing
from worker.store.contact_rows import ContactKey, ContactRow, SignOfLife

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
    latest, ordered = facts.latest, facts.latest_ordered
    return ContactRow(
        row.id,
        row.address,
        row.account,
        row.channel,
        row.first_seen_at,
        shown.status,
        shown.blocks,
        # Of a free contact `since` is only the last news, and moves with every event: the times tell it already.
        None if shown.status in _FREE else shown.since,
        shown.until,
        next_change_at(facts, policy, now),
        shown.cause,
        shown.rule,
        shown.event_key,
        sorted(shown.lift_by) or None,
        facts.last_delivered_at,
        facts.last_delivered_message,
        facts.last_opened_at,
        facts.last_clicked_at,
        latest.occurred_at if latest else None,
        latest.event_key if latest else None,
        ordered.occurred_at if ordered else None,
        ordered.event_key if ordered else None,
        facts_detail(facts),
        row.base,
        row.base_until,
    )


def is_free(facts: Facts) -> bool:
    """True when nothing is known that could make the contact anything but `new` or `active`."""
    return not (facts.rules or facts.blocks or facts.optouts or facts.complaint)


def sign_of_life(row: ContactRow, facts: Facts) -> SignOfLife:
    """What has to be written for a contact who was and is free, after a delivery, an open or a click."""
    latest = facts.latest
    return SignOfLife(
        row.id,
        facts.last_delivered_at,
        facts.last_delivered_message,
        facts.last_opened_at,
        facts.last_clicked_at,
        latest.occurred_at if latest else None,
        latest.event_key if latest else None,
    )


def is_status_change(old: ContactRow, new: ContactRow) -> bool:
    """True when the history gets a line: another status, other mail forbidden, or another hold."""
    if old.status in _FREE and new.status in _FREE:
        return False
    return (old.status, old.blocks, old.status_until) != (new.status, new.blocks, new.status_until)

"""Between a contact's row and what the policy works with: facts and standing."""

from datetime import datetime

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import FREE_STATUSES, Channel
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_detail
from worker.policy.rule import Policy
from worker.policy.standing import next_change_at, standing
from worker.store.contact_rows import ContactKey, ContactRow, SignOfLife


def contact_key(event: FeedbackEvent) -> ContactKey | None:
    """Whose event it is, or None when it names nobody."""
    return None if event.address is None else (event.address, event.account, event.channel)


def unknown_contact(key: ContactKey, first_seen_at: datetime) -> ContactRow:
    """A contact of whom nothing is stored yet."""
    address, account, channel = key
    return ContactRow(id=0, address=address, account=account, channel=Channel(channel), first_seen_at=first_seen_at)


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
        shown.since,
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
        latest.rank if latest else None,
        latest.event_key if latest else None,
        ordered.occurred_at if ordered else None,
        ordered.rank if ordered else None,
        ordered.event_key if ordered else None,
        facts_detail(facts),
        row.base,
        row.base_until,
    )


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
        latest.rank if latest else None,
        latest.event_key if latest else None,
    )


def is_status_change(old: ContactRow, new: ContactRow) -> bool:
    """True when the history gets a line: another status, other mail forbidden, or another hold."""
    if old.status in FREE_STATUSES and new.status in FREE_STATUSES:
        return False
    return (old.status, old.blocks, old.status_until) != (new.status, new.blocks, new.status_until)

"""Converts between a contact's columns and what the policy works with: facts and standing."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from schemas.entry import Entry
from schemas.vocabulary import FREE_STATUSES, Blocks, Cause, Status
from worker.policy.engagement import free_status
from worker.policy.facts import Facts, is_free
from worker.policy.facts_encoding import facts_detail
from worker.policy.mailing import first_mailed
from worker.policy.provisional import next_change, shown_standing
from worker.policy.rule import Policy
from worker.store.contact_rows import ContactFacts, ContactKey, ContactStanding, ContactState, NewContact, SignOfLife

# The standing of a contact of which nothing is known.
UNKNOWN_STANDING = ContactStanding(
    status=Status.NEW,
    blocks=Blocks.NONE,
    status_since=None,
    status_until=None,
    next_change_at=None,
    cause=Cause.NONE,
    rule=None,
    status_event_key=None,
    lift_by=None,
)

# The standings of contacts to whom nothing is forbidden: nearly all of them.
_FREE_STANDINGS = {status: replace(UNKNOWN_STANDING, status=status) for status in FREE_STATUSES}


def contact_key(entry: Entry) -> ContactKey | None:
    """The contact that the entry is about; None if it names nobody."""
    if entry.address is None:
        return None
    return ContactKey(address=entry.address, account=entry.account, channel=entry.channel)


def new_contact(key: ContactKey, entries: Sequence[Entry], state: ContactState) -> NewContact:
    """The whole row of a contact whose first entries these are; there is at least one."""
    return NewContact(
        key=key,
        first_seen_at=min(entry.received_at for entry in entries),
        first_mailed_at=first_mailed(None, entries),
        state=state,
    )


def contact_state(
    facts: Facts, policy: Policy, now: datetime, *, policy_id: int, provisional: Facts | None = None
) -> ContactState:
    """The columns of these facts, and of the standing that follows from them at `now`.

    The facts are folded under this policy, whose id is `policy_id`. `provisional` is that of contact_standing.
    """
    return ContactState(
        standing=contact_standing(facts, policy, now, provisional), facts=contact_facts(facts, policy_id=policy_id)
    )


def contact_standing(facts: Facts, policy: Policy, now: datetime, provisional: Facts | None = None) -> ContactStanding:
    """The columns of the standing that follows from the facts at `now`.

    `provisional` are the facts that count beside them while late entries are still being folded in.
    """
    if provisional is None and is_free(facts):
        return _FREE_STANDINGS[free_status(facts.engagement)]
    shown = shown_standing(facts, provisional, policy, now)
    return ContactStanding(
        status=shown.status,
        blocks=shown.blocks,
        status_since=shown.since,
        status_until=shown.until,
        next_change_at=next_change(facts, provisional, policy, now),
        cause=shown.cause,
        rule=shown.rule,
        status_event_key=shown.event_key,
        lift_by=sorted(shown.lift_by) or None,
    )


def contact_facts(facts: Facts, *, policy_id: int) -> ContactFacts:
    """The columns of the facts; `facts_from_row` turns them back into facts.

    Entries whose order does not matter (a delivery, an open) fold into the same facts under any policy.
    """
    latest, ordered, known = facts.latest, facts.latest_ordered, facts.engagement
    return ContactFacts(
        last_delivered_at=known.last_delivered_at,
        last_delivered_message=known.last_delivered_message,
        last_opened_at=known.last_opened_at,
        last_clicked_at=known.last_clicked_at,
        latest_at=latest.occurred_at if latest else None,
        latest_rank=latest.rank if latest else None,
        latest_key=latest.event_key if latest else None,
        latest_ordered_at=ordered.occurred_at if ordered else None,
        latest_ordered_rank=ordered.rank if ordered else None,
        latest_ordered_key=ordered.event_key if ordered else None,
        facts_detail=facts_detail(facts),
        policy_id=None if ordered is None else policy_id,
    )


def sign_of_life(contact_id: int, facts: Facts) -> SignOfLife:
    """The columns to write after a delivery, an open or a click, if the contact was free and still is."""
    latest, known = facts.latest, facts.engagement
    return SignOfLife(
        id=contact_id,
        last_delivered_at=known.last_delivered_at,
        last_delivered_message=known.last_delivered_message,
        last_opened_at=known.last_opened_at,
        last_clicked_at=known.last_clicked_at,
        latest_at=latest.occurred_at if latest else None,
        latest_rank=latest.rank if latest else None,
        latest_key=latest.event_key if latest else None,
    )

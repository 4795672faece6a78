"""From a stored contact to the policy's facts, and where it stands by them."""

from datetime import datetime

import msgspec

from schemas.vocabulary import Status
from worker.policy.facts import Facts, Standing
from worker.policy.facts_encoding import decode_facts, facts_from_row
from worker.policy.rule import Policy
from worker.policy.standing import standing
from worker.store.contact_rows import ContactRow

# These two differ only by engagement: their `since` is no more than the last news, which the times tell better.
_FREE = frozenset({Status.NEW, Status.ACTIVE})


def facts_of(row: ContactRow) -> Facts:
    """The facts in the row."""
    return facts_from_row(
        row.facts_detail,
        last_delivered_at=row.last_delivered_at,
        last_delivered_message=row.last_delivered_message,
        last_opened_at=row.last_opened_at,
        last_clicked_at=row.last_clicked_at,
        latest_at=row.latest_at,
        latest_key=row.latest_key,
        latest_ordered_at=row.latest_ordered_at,
        latest_ordered_key=row.latest_ordered_key,
    )


def base_of(row: ContactRow) -> Facts:
    """The facts from before the oldest stored event."""
    return decode_facts(row.base)


def standing_at(facts: Facts, policy: Policy, now: datetime) -> Standing:
    """Where the contact stands at `now`, whatever time has overtaken since its row was written."""
    return without_last_news(standing(facts, policy, now))


def without_last_news(shown: Standing) -> Standing:
    """The standing without a `since` where nothing began."""
    return msgspec.structs.replace(shown, since=None) if shown.status in _FREE else shown

"""From a stored contact to the policy's facts."""

from worker.policy.facts import Facts
from worker.policy.facts_encoding import decode_facts, facts_from_row
from worker.store.contact_rows import ContactRow


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

"""The events of contacts alone, for what does not know decisions yet."""

from collections.abc import Sequence
from datetime import datetime

from schemas.feedback_event import FeedbackEvent
from worker.store.pool import Executor
from worker.store.stored_entries import latest_entries, stored_entries_by_contact


async def stored_events_by_contact(
    executor: Executor,
    contact_ids: Sequence[int],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    whole: bool = False,
) -> dict[int, list[FeedbackEvent]]:
    """As stored_entries_by_contact. Raises StoreUnavailable."""
    entries = await stored_entries_by_contact(executor, contact_ids, since=since, until=until, whole=whole)
    return {
        contact_id: [entry for entry in of_contact if isinstance(entry, FeedbackEvent)]
        for contact_id, of_contact in entries.items()
    }


async def stored_events(
    executor: Executor, contact_id: int, *, since: datetime | None = None, whole: bool = True
) -> list[FeedbackEvent]:
    """As stored_entries. Raises StoreUnavailable."""
    by_contact = await stored_events_by_contact(executor, [contact_id], since=since, whole=whole)
    return by_contact.get(contact_id, [])


async def latest_events(executor: Executor, contact_id: int, *, limit: int) -> list[FeedbackEvent]:
    """As latest_entries. Raises StoreUnavailable."""
    latest = await latest_entries(executor, contact_id, limit=limit)
    return [entry for entry in latest if isinstance(entry, FeedbackEvent)]

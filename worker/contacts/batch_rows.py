"""The rows of one transaction, gathered so that each table is written once."""

import operator
from collections.abc import Callable, Sequence
from datetime import datetime

from schemas.entry import LASTING_KINDS, Entry
from schemas.feedback_event import FeedbackEvent
from worker.contacts.batch_terms import SENDING_KINDS, Applied
from worker.contacts.campaigns import write_campaign_events
from worker.contacts.open_refolds import OpenRefold, save_refolds
from worker.contacts.recognition import is_known_by_key
from worker.policy.mailing import first_mailed
from worker.store import contact_rows, known_keys
from worker.store.checkpoints import delete_checkpoints_since
from worker.store.contact_rows import ContactState, LockedContact, SignOfLife
from worker.store.decision_rows import DecisionOfContact, insert_decisions
from worker.store.event_rows import EventEncoder, EventOfContact
from worker.store.known_keys import KeyInMonth
from worker.store.partitions import month_of
from worker.store.pool import WriterConnection
from worker.store.status_history import append_status_changes

_provider_and_kind: Callable[[FeedbackEvent], tuple[str, str]] = operator.attrgetter("provider", "kind")


class BatchRows:
    """Gathers rows, and writes them."""

    def __init__(
        self,
        connection: WriterConnection,
        encoder: EventEncoder,
        *,
        oldest_kept: datetime,
        retired_months: frozenset[datetime],
    ) -> None:
        self.updates: dict[int, ContactState] = {}
        self.signs: list[SignOfLife] = []
        self.first_mailed: dict[int, datetime] = {}  # of contacts whose first message was unknown, or later
        self.passed_checkpoints: list[KeyInMonth] = []
        self.refolds: list[OpenRefold] = []
        self._connection = connection
        self._encoder = encoder
        self._oldest_kept = oldest_kept
        self._retired_months = retired_months
        self._decisions: list[DecisionOfContact] = []
        self._entries: list[EventOfContact] = []
        self._calm_events: list[EventOfContact] = []
        self._kept_calm_events: list[EventOfContact] = []
        self._to_register: list[FeedbackEvent] = []
        self._of_campaigns: list[tuple[FeedbackEvent, int]] = []

    def is_past_retention(self, event: FeedbackEvent) -> bool:
        """True if there is no month for the event."""
        at = event.occurred_at
        return at < self._oldest_kept or (bool(self._retired_months) and month_of(at) in self._retired_months)

    def add_entries(self, contact_id: int, entries: Sequence[Entry]) -> None:
        """Adds entries of one contact that are not stored yet."""
        for entry in entries:
            if not isinstance(entry, FeedbackEvent):
                self._decisions.append((entry, contact_id))
                continue
            if entry.campaign is not None:
                self._of_campaigns.append((entry, contact_id))
            if entry.kind in LASTING_KINDS:
                self._entries.append((entry, contact_id))
                continue
            calm_events = self._kept_calm_events if self.is_past_retention(entry) else self._calm_events
            calm_events.append((entry, contact_id))
            if is_known_by_key(entry):
                self._to_register.append(entry)

    def note_mailed(self, row: LockedContact, entries: Sequence[Entry]) -> None:
        """Notes the contact's first message if one of the entries, which are not stored yet, reports it."""
        first = first_mailed(row.first_mailed_at, entries)
        if first is not None and first is not row.first_mailed_at:
            self.first_mailed[row.id] = first

    async def write(self, applied: Applied) -> None:
        """Writes all gathered rows and the status changes, and counts them in `applied`."""
        if self._decisions:
            applied.new_events += len(await insert_decisions(self._connection, self._decisions))
        await known_keys.register(self._connection, self._to_register)
        for table, events in (
            ("entries", self._entries),
            ("calm_events", self._calm_events),
            ("kept_calm_events", self._kept_calm_events),
        ):
            if events:
                await self._encoder.copy(self._connection, table, events)
                applied.new_events += len(events)
                stored = [event for event, _ in events]
                applied.kinds.update(map(_provider_and_kind, stored))
                applied.sendings += [event for event in stored if event.kind in SENDING_KINDS]
        await delete_checkpoints_since(self._connection, self.passed_checkpoints)
        await save_refolds(self._connection, self.refolds)
        await contact_rows.write_signs_of_life(self._connection, self.signs)
        await contact_rows.update_contacts(self._connection, self.updates)
        await contact_rows.write_first_mailed(self._connection, self.first_mailed)
        if self._of_campaigns:
            await write_campaign_events(self._connection, self._encoder.campaigns, self._of_campaigns)
        await append_status_changes(self._connection, applied.changes)

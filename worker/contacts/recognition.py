"""Recognises events that are stored already, under the locks of their contacts: the answer holds until the commit.

Nearly every event is obviously new, because it is later than everything that its contact has folded. The database is
asked about all others, in every way in which a repeat may differ from the stored event: it may name another time, its
month may be gone, and a former version may have given it another key. An earlier version may have read it as another
kind and stored it in another table, so even an event that is later than all others is looked up there.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from schemas.decision import Decision
from schemas.entry import LASTING_KINDS, Entry
from schemas.feedback_event import FeedbackEvent
from worker.policy.event_order import is_inert
from worker.policy.facts import Facts
from worker.store import known_keys
from worker.store.known_keys import FormerKey, KeyInMonth, KeyOfContact
from worker.store.pool import Connection

_OneEntry = TypeVar("_OneEntry", FeedbackEvent, Decision, Entry)

# The retention keeps whole months, at least one: no event is moved out of its month before it is this old.
_KEPT_AT_LEAST = timedelta(days=27)


# An entry that the database must be asked about, and its contact's id; None if its contact is not stored. Nearly every
# entry has one, and a tuple costs a third of a record.
Doubt = tuple[Entry, int | None]


class Recognition(Struct, frozen=True, kw_only=True):
    """Recognises the events of one batch."""

    connection: Connection
    now: datetime
    trust_watermarks: bool
    former_keys_until: datetime | None

    async def registered(self, entries: Iterable[Entry]) -> set[bytes]:
        """The keys of events that are stored and known by their key alone, for any contact or for none.

        If a vendor's clock runs ahead, the first copy seems to come from the future and the next one does not. So
        every event is looked up.
        """
        if not await known_keys.any_registered(self.connection):
            return set()
        events = [entry for entry in entries if isinstance(entry, FeedbackEvent)]
        keys = [event.event_key for event in events]
        former = {event.former_key: event.event_key for event in events if event.former_key is not None}
        registered_keys = await known_keys.registered_keys(self.connection, [*keys, *former])
        return {former.get(key, key) for key in registered_keys} if registered_keys else registered_keys

    def surely_new(self, facts: Facts, event: Entry) -> bool:
        """True if the event is later than everything its contact has folded, so that it cannot be stored as it is now.

        Events without effect leave no trace in the facts: one that a former version read like that, or dated by its
        arrival, may be anywhere. A decision is dated only when it is known to be new.
        """
        if not isinstance(event, FeedbackEvent):
            return False
        at, latest = event.occurred_at, facts.latest
        if latest is not None and at <= latest.occurred_at:
            return False
        if not self.trust_watermarks or event.arrival_dated or event.known_by_id or is_inert(event):
            return False
        return self.former_keys_until is None or at >= self.former_keys_until

    def surely_new_with_its_contact(self, event: Entry) -> bool:
        """True if the entry cannot be stored, because its contact is not."""
        return (
            self.former_keys_until is None
            or not isinstance(event, FeedbackEvent)
            or event.occurred_at >= self.former_keys_until
        )

    async def known(self, doubts: Sequence[Doubt], surely_new: Sequence[Doubt] = ()) -> set[bytes]:
        """The keys of events that are stored. Those of `surely_new` can only be stored with another kind or time."""
        among_entries: list[KeyOfContact] = []
        in_months: list[KeyInMonth] = []
        among_kept: list[KeyOfContact] = []
        former: list[FormerKey] = []
        calm: dict[int, list[bytes]] = {}
        for event, contact_id in surely_new:
            if contact_id is None or not isinstance(event, FeedbackEvent):
                continue
            if event.kind in LASTING_KINDS:
                in_months.append(_in_month(event, event.occurred_at, contact_id))
                # A repeat may name a later time.
                among_entries.append(KeyOfContact(contact_id=contact_id, entry_key=event.event_key))
            else:
                calm.setdefault(contact_id, []).append(event.event_key)
        among_entries += [
            KeyOfContact(contact_id=contact_id, entry_key=key)
            for contact_id in await known_keys.contacts_with_entries(self.connection, list(calm))
            for key in calm[contact_id]
        ]
        for event, contact_id in doubts:
            if contact_id is not None:
                of_contact = KeyOfContact(contact_id=contact_id, entry_key=event.event_key)
                among_entries.append(of_contact)
                if not isinstance(event, FeedbackEvent):
                    continue
                in_months.append(_in_month(event, event.occurred_at, contact_id))
                if event.claimed_at is not None:
                    # For the clock that met another copy, the vendor's time may not have been in the future.
                    in_months.append(_in_month(event, event.claimed_at, contact_id))
                if self._may_be_kept(event) or is_known_by_key(event):
                    among_kept.append(of_contact)
            if isinstance(event, FeedbackEvent) and self._may_be_former(event):
                former += [
                    FormerKey(
                        occurred_at=event.occurred_at,
                        entry_key=event.event_key,
                        former_key=former_key,
                        contact_id=contact_id,
                    )
                    for former_key in (event.event_key, event.former_key)
                    if former_key is not None
                ]
        known = await known_keys.known_among_entries(self.connection, among_entries)
        known |= await known_keys.known_in_months(self.connection, in_months)
        known |= await known_keys.known_among_kept(self.connection, among_kept)
        known |= await known_keys.known_by_former_keys(self.connection, former)
        return known

    def _may_be_kept(self, event: FeedbackEvent) -> bool:
        return event.occurred_at < self.now - _KEPT_AT_LEAST

    def _may_be_former(self, event: FeedbackEvent) -> bool:
        return self.former_keys_until is not None and event.occurred_at < self.former_keys_until


def unique(events: Sequence[_OneEntry]) -> list[_OneEntry]:
    """Each entry once: of two copies in one batch the one that arrived first, in whatever order they lie here."""
    by_key = {event.event_key: event for event in events}
    if len(by_key) == len(events):
        return list(events)  # as nearly always
    by_key.clear()
    for event in events:
        other = by_key.setdefault(event.event_key, event)
        if other is not event and event.received_at < other.received_at:
            by_key[event.event_key] = event
    return list(by_key.values())


def without(entries: Sequence[_OneEntry], known: set[bytes]) -> list[_OneEntry]:
    """The entries that are not known."""
    return [entry for entry in entries if entry.event_key not in known]


def is_known_by_key(event: FeedbackEvent) -> bool:
    """True if its key alone identifies it, because repeats may name another time or none."""
    return event.arrival_dated or event.known_by_id


def _in_month(event: FeedbackEvent, at: datetime, contact_id: int) -> KeyInMonth:
    return KeyInMonth(contact_id=contact_id, occurred_at=at, entry_key=event.event_key)

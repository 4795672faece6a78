"""One batch, one transaction: events stored, contacts folded, statuses derived, history written.

Why an event takes effect exactly once: an event belongs to one contact, the contact's row is locked first, and
only then is it asked which of the events are stored already (recognition.py). A duplicate in another batch waits for
the lock.

What takes effect in its order is stored for as long as its contact, however old it is when it comes in. A calm event
that is older than the retention has no month any more: it is kept beside the months if it has a say in the order of
others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from schemas.entry import LASTING_KINDS
from schemas.feedback_event import FeedbackEvent
from schemas.raw_keeping import KeepRaw
from worker.contacts.contact_state import UNKNOWN_STANDING, contact_key, contact_standing, contact_state, sign_of_life
from worker.contacts.policies import UNNUMBERED, NumberedPolicy, Policies
from worker.contacts.recognition import Doubt, Recognition, is_known_by_key
from worker.contacts.refolding import is_overtaken, policy_lines, standing_until_now
from worker.contacts.status_change import is_bulk, is_status_change, status_change
from worker.policy.event_order import can_fold_directly, is_inert
from worker.policy.facts import Facts, is_free
from worker.policy.facts_encoding import decode_facts, encode_facts, facts_from_row
from worker.policy.fold import fold, fold_all, in_order
from worker.policy.former_base import since as events_since
from worker.policy.former_base import with_late as base_with_late
from worker.store import contact_rows, known_keys
from worker.store.contact_rows import (
    ContactKey,
    ContactRow,
    ContactStanding,
    ContactState,
    LockedContact,
    NewContact,
    SignOfLife,
)
from worker.store.event_rows import EventEncoder, EventOfContact
from worker.store.partitions import month_of
from worker.store.pool import WriterConnection
from worker.store.status_history import StatusChange, append_status_changes
from worker.store.stored_entries import stored_entries_by_contact


class Applied(Struct, kw_only=True):
    """What a batch did; for the log line, the metrics and the tests."""

    new_events: int = 0
    duplicates: int = 0
    expired: int = 0
    contacts: int = 0
    refolded: int = 0
    changes: list[StatusChange] = []
    leftover: list[FeedbackEvent] = []
    kinds: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)  # (provider, kind) of new events


class BatchRules(Struct, frozen=True, kw_only=True):
    """What holds for every batch."""

    policies: Policies
    oldest_kept: datetime  # earlier calm events are past the retention: kept if they have an effect, else only counted
    former_keys_until: datetime | None = None  # earlier events may be stored by a key of the former form
    keep_raw: KeepRaw = KeepRaw.FAILURES


async def apply_events(
    connection: WriterConnection,
    events: Sequence[FeedbackEvent],
    *,
    rules: BatchRules,
    now: datetime,
    trust_watermarks: bool = True,
    retired_months: frozenset[datetime] = frozenset(),
    encoder: EventEncoder | None = None,
) -> Applied:
    """Applies the events inside the caller's transaction.

    `leftover` in the answer is not applied yet: its contacts were new, and somebody else has inserted them
    meanwhile. Commit, then apply it in a transaction of its own. To lock those contacts here, behind the ones
    that were inserted, would break the one order of locking that keeps batches out of deadlocks.

    trust_watermarks=False asks the database about every event, where otherwise those that lie behind all that
    their contact has folded are known to be new. The caller uses it after AlreadyStored, which
    happens when this version folds an event that an older one stored and passed over.

    `retired_months` are those that the retention of another process is about to drop, though ours would keep them:
    MonthClosed says so.

    `encoder` is the process's own, which has learned the words of these events; without one, words that no process has
    learned are stored beside their rows.
    """
    applied = Applied()
    if encoder is None:
        encoder = EventEncoder()
        await encoder.look_up(connection, events)
    encoder.keep_raw = rules.keep_raw
    by_contact: dict[ContactKey, list[FeedbackEvent]] = {}
    nameless: list[FeedbackEvent] = []
    batch = _Batch(
        connection,
        rules,
        now,
        applied,
        encoder,
        trust_watermarks=trust_watermarks,
        retired_months=retired_months,
    )
    for event in _unique(events):
        key = contact_key(event)
        if batch.is_past_retention(event) and (key is None or is_inert(event)):
            applied.expired += 1
        elif key is None:
            nameless.append(event)
        else:
            by_contact.setdefault(key, []).append(event)
    await batch.take_in(by_contact)
    await batch.write()
    await batch.take_in_nameless(nameless)
    applied.duplicates = len(events) - applied.expired - applied.new_events - len(applied.leftover)
    return applied


def _unique(events: Sequence[FeedbackEvent]) -> list[FeedbackEvent]:
    """Each event once: of two copies in one batch the one that arrived first, in whatever order they lie here."""
    by_key: dict[bytes, FeedbackEvent] = {}
    for event in events:
        other = by_key.setdefault(event.event_key, event)
        if other is not event and event.received_at < other.received_at:
            by_key[event.event_key] = event
    return list(by_key.values())


class _Known(Struct, kw_only=True):
    """A contact that was there before the batch, locked, and what the batch brings of it."""

    key: ContactKey
    row: LockedContact
    events: list[FeedbackEvent]
    standing: ContactStanding | None = None  # under the active policy, where the row has that of a former one


class _Batch:
    """Gathers what one transaction will write, so that each table is written once."""

    def __init__(
        self,
        connection: WriterConnection,
        rules: BatchRules,
        now: datetime,
        applied: Applied,
        encoder: EventEncoder,
        *,
        trust_watermarks: bool,
        retired_months: frozenset[datetime],
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._oldest_kept = rules.oldest_kept
        self._now = now
        self._applied = applied
        self._encoder = encoder
        self._retired_months = retired_months
        self._recognition = Recognition(
            connection=connection,
            now=now,
            trust_watermarks=trust_watermarks,
            former_keys_until=rules.former_keys_until,
        )
        self._entries: list[EventOfContact] = []
        self._calm_events: list[EventOfContact] = []
        self._kept_calm_events: list[EventOfContact] = []
        self._to_register: list[FeedbackEvent] = []
        self._active: NumberedPolicy  # set under the locks
        self._updates: dict[int, ContactState] = {}
        self._signs: list[SignOfLife] = []

    def is_past_retention(self, event: FeedbackEvent) -> bool:
        """True when there is no month for the event."""
        at = event.occurred_at
        return at < self._oldest_kept or (bool(self._retired_months) and month_of(at) in self._retired_months)

    async def take_in(self, by_contact: dict[ContactKey, list[FeedbackEvent]]) -> None:
        """Folds the events of these contacts: first of those that exist, in the order of their ids, then of new ones.

        Two batches can wait for each other only in this order, and so never in a circle.
        """
        rows = await contact_rows.lock_contacts(self._connection, list(by_contact))
        # Another process may have heard of a later policy before this one.
        known_id = max((row.policy_id or UNNUMBERED for row in rows.values()), default=UNNUMBERED)
        self._active = await self._rules.policies.active(self._connection, known_id=known_id)
        registered = await self._recognition.registered([event for events in by_contact.values() for event in events])
        if registered:
            by_contact = {key: _without(events, registered) for key, events in by_contact.items()}
        remaining = dict(by_contact)
        await self._fold_existing([_Known(key=key, row=row, events=remaining.pop(key)) for key, row in rows.items()])
        await self._fold_unknown(remaining)

    async def take_in_nameless(self, events: Sequence[FeedbackEvent]) -> None:
        """Stores events that name nobody. No contact's lock keeps two writers apart: their primary key does."""
        if not events:
            return
        known = await self._recognition.registered(events)
        doubts = [Doubt(event=event, contact_id=None) for event in events]
        known |= await self._recognition.known(doubts)
        new = sorted(_without(events, known), key=lambda event: event.event_key)
        for event in new:
            if await self._encoder.insert_nameless(self._connection, event):
                self._applied.new_events += 1
                self._applied.kinds[event.provider, event.kind] += 1

    async def _fold_existing(self, contacts: list[_Known]) -> None:
        with_facts = [(contact, facts_from_row(contact.row)) for contact in contacts]
        is_surely_new = self._recognition.surely_new
        doubts: list[Doubt] = []
        surely_new: list[Doubt] = []
        for contact, facts in with_facts:
            for event in contact.events:
                asked = surely_new if is_surely_new(facts, event) else doubts
                asked.append(Doubt(event=event, contact_id=contact.row.id))
        known = await self._recognition.known(doubts, surely_new)
        refold: list[_Known] = []
        for contact, facts in with_facts:
            if known:
                contact.events = _without(contact.events, known)
            if not contact.events:
                continue
            self._store(contact.row.id, contact.events)
            folded = None if is_overtaken(contact.row, self._active) else self._fold_in_place(facts, contact.events)
            if folded is None:
                refold.append(contact)
            elif folded is facts:
                continue  # nothing but inert events
            elif is_free(folded) and folded.latest_ordered is facts.latest_ordered and is_free(facts):
                self._signs.append(sign_of_life(contact.row.id, folded))
            else:
                self._settle(contact, folded)
        if refold:
            await self._refold(refold)

    async def _fold_unknown(self, by_contact: Mapping[ContactKey, list[FeedbackEvent]]) -> None:
        """Inserts contacts that were not there, with their facts folded from nothing."""
        surely_new = self._recognition.surely_new_with_its_contact
        doubts = [
            Doubt(event=event, contact_id=None)
            for events in by_contact.values()
            for event in events
            if not surely_new(event)
        ]
        if known := await self._recognition.known(doubts):
            by_contact = {key: _without(events, known) for key, events in by_contact.items()}
        policy = self._active.policy
        states = {
            key: contact_state(fold_all(Facts(), events, policy), policy, self._now, policy_id=self._active.id)
            for key, events in by_contact.items()
            if events
        }
        ids = await contact_rows.insert_contacts(
            self._connection,
            [
                NewContact(key=key, first_seen_at=min(event.received_at for event in by_contact[key]), state=state)
                for key, state in states.items()
            ],
        )
        for key, contact_id in ids.items():
            self._store(contact_id, by_contact[key])
            self._note_change(UNKNOWN_STANDING, states[key].standing, by_contact[key], key=key, contact_id=contact_id)
        for key in states:
            if key not in ids:
                self._applied.leftover += by_contact[key]

    def _fold_in_place(self, facts: Facts, events: Sequence[FeedbackEvent]) -> Facts | None:
        """The facts with the events folded in, or None when one of them comes too late for that."""
        for event in events if len(events) == 1 else in_order(events):
            if not can_fold_directly(facts, event):
                return None
            facts = fold(facts, event, self._active.policy)
        return facts

    async def _refold(self, contacts: Sequence[_Known]) -> None:
        """Folds contacts anew from everything that is stored of them.

        An event came late, or the contact was folded under a former policy. In that case what the active policy alone
        makes of it has a line of its own in the history, before that of the events.
        """
        policy = self._active.policy
        overtaken = {contact.row.policy_id for contact in contacts if is_overtaken(contact.row, self._active)}
        former_policies = await self._rules.policies.of_all(self._connection, overtaken)
        contact_ids = [contact.row.id for contact in contacts]
        stored = await stored_entries_by_contact(self._connection, contact_ids)
        bases = await contact_rows.bases_of(self._connection, contact_ids)
        for contact in contacts:
            contact_id = contact.row.id
            before = stored.get(contact_id, [])
            history = [*before, *contact.events]
            former = bases[contact_id]
            base = with_late = decode_facts(former.base)
            if former.base_until is not None:
                with_late = base_with_late(base, former.base_until, contact.events, policy)
                if with_late is not base:
                    await contact_rows.store_base(self._connection, contact_id, encode_facts(with_late))
                before, history = events_since(before, former.base_until), events_since(history, former.base_until)
            if contact.row.policy_id in overtaken:
                self._begin_anew(contact, fold_all(base, before, policy), former_policies[contact.row.policy_id])
            self._settle(contact, fold_all(with_late, history, policy))
        self._applied.refolded += len(contacts)

    def _store(self, contact_id: int, events: Sequence[FeedbackEvent]) -> None:
        self._applied.contacts += 1
        for event in events:
            if event.kind in LASTING_KINDS:
                self._entries.append((event, contact_id))
                continue
            calm_events = self._kept_calm_events if self.is_past_retention(event) else self._calm_events
            calm_events.append((event, contact_id))
            if is_known_by_key(event):
                self._to_register.append(event)

    def _begin_anew(self, contact: _Known, facts: Facts, former: NumberedPolicy) -> None:
        """Notes what the active policy makes of a contact before this batch; `facts` are those under it."""
        old, line = standing_until_now(contact.row, former.policy, self._now, key=contact.key)
        contact.standing = contact_standing(facts, self._active.policy, self._now)
        self._applied.changes += line
        self._applied.changes += policy_lines(
            old, contact.standing, self._active, contact_id=contact.row.id, key=contact.key, now=self._now
        )

    def _settle(self, contact: _Known, facts: Facts) -> None:
        """Notes what has to be written for a contact whose facts are these now."""
        row, policy = contact.row, self._active.policy
        old: LockedContact | ContactRow | ContactStanding
        if contact.standing is not None:
            old = contact.standing
        else:
            # A hold may have ended before this batch, and the sweep has not come by: its line is written first.
            old, line = standing_until_now(row, policy, self._now, key=contact.key)
            self._applied.changes += line
        new = contact_state(facts, policy, self._now, policy_id=self._active.id)
        self._updates[row.id] = new
        self._note_change(old, new.standing, contact.events, key=contact.key, contact_id=row.id)

    def _note_change(
        self,
        old: LockedContact | ContactRow | ContactStanding,
        new: ContactStanding,
        events: Sequence[FeedbackEvent],
        *,
        key: ContactKey,
        contact_id: int,
    ) -> None:
        if not is_status_change(old, new):
            return
        delivery_id = next((event.delivery_id for event in events if event.event_key == new.status_event_key), None)
        self._applied.changes.append(
            status_change(
                old,
                new,
                contact_id=contact_id,
                contact=key,
                now=self._now,
                actor="events",
                delivery_id=delivery_id,
                bulk=bool(events) and is_bulk(max(event.occurred_at for event in events), self._now),
            )
        )

    async def write(self) -> None:
        """Writes everything that was gathered."""
        applied = self._applied
        await known_keys.register(self._connection, self._to_register)
        for table, events in (
            ("entries", self._entries),
            ("calm_events", self._calm_events),
            ("kept_calm_events", self._kept_calm_events),
        ):
            if events:
                await self._encoder.copy(self._connection, table, events)
                applied.new_events += len(events)
                applied.kinds.update((event.provider, event.kind) for event, _ in events)
        await contact_rows.write_signs_of_life(self._connection, self._signs)
        await contact_rows.update_contacts(self._connection, self._updates)
        await append_status_changes(self._connection, applied.changes)


def _without(events: Sequence[FeedbackEvent], known: set[bytes]) -> list[FeedbackEvent]:
    return [event for event in events if event.event_key not in known]

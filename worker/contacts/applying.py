"""One batch, one transaction: events stored, contacts folded, statuses derived, history written.

Why an event takes effect exactly once: an event belongs to one contact, the contact's row is locked first, and
only then the events that are stored already are looked up (recognition.py). A duplicate in another batch waits for
the lock.

Entries whose order matters are stored for as long as their contact, however old they are when they arrive. A calm
event that is older than the retention has no month any more: it is kept outside the months if it matters for the order
of others.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from worker.contacts.batch_refolds import BatchRefolds
from worker.contacts.batch_rows import BatchRows
from worker.contacts.batch_terms import Applied, BatchContact, BatchRules
from worker.contacts.contact_state import (
    UNKNOWN_STANDING,
    contact_key,
    contact_standing,
    contact_state,
    new_contact,
    sign_of_life,
)
from worker.contacts.decision_result import decide, repeats, with_ids
from worker.contacts.late_entries import LateResult, passed_checkpoints
from worker.contacts.open_refolds import OpenRefold
from worker.contacts.policies import NumberedPolicy
from worker.contacts.recognition import Doubt, Recognition, unique, without
from worker.contacts.refolding import facts_anew, is_overtaken, policy_lines, standing_until_now
from worker.contacts.status_change import change_by_entries, is_status_change
from worker.policy.event_order import can_fold_directly, is_inert
from worker.policy.facts import Facts, is_free
from worker.policy.facts_encoding import decode_facts, encode_facts, facts_from_row
from worker.policy.fold import fold, fold_all, in_order
from worker.policy.former_base import since as entries_since
from worker.policy.former_base import with_late as base_with_late
from worker.policy.provisional import stricter_facts
from worker.policy.rule import Policy
from worker.store import contact_rows
from worker.store.checkpoints import delete_checkpoints
from worker.store.contact_rows import ContactKey, ContactRow, ContactStanding, LockedContact
from worker.store.durability import secure_what_was_read
from worker.store.event_rows import EventEncoder
from worker.store.pool import WriterConnection
from worker.store.stored_entries import stored_entries_by_contact

__all__ = ["Applied", "BatchRules", "apply_decisions", "apply_events"]


async def apply_decisions(
    connection: WriterConnection,
    decisions: Sequence[Decision],
    *,
    rules: BatchRules,
    now: datetime,
    bulk: bool = False,
) -> Applied:
    """Applies decisions inside the caller's transaction. Their acts are stored (worker.store.acts).

    A decision is dated here, under its contact's lock, after everything that is known of the contact. It is not stored
    if it would change nothing. Only imported decisions keep their time and are stored in any case: the entries that
    they change may arrive later. `leftover_decisions` is like `leftover` of apply_events. With `bulk`, other changes
    are announced before these.
    """
    applied = Applied()
    batch = _Batch(connection, rules, now, applied, EventEncoder(), trust_watermarks=True, bulk=bulk)
    by_contact: dict[ContactKey, list[Entry]] = {}
    for decision in unique(decisions):
        if (key := contact_key(decision)) is not None:
            by_contact.setdefault(key, []).append(decision)
    await batch.take_in(by_contact)
    await batch.rows.write(applied)
    applied.duplicates = sum(result.effect is None for result in applied.results)
    return applied


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
    meanwhile. Commit, then apply it in a transaction of its own. Locking those contacts here, after the ones
    that were inserted, would break the order of locking that keeps batches out of deadlocks.

    With trust_watermarks=False the database is asked about every event. Otherwise events that are later than
    everything that their contact has folded count as new. The caller uses it after AlreadyStored, which
    happens when this version folds an event that an older one stored and passed over.

    `retired_months` are months that the retention of another process is about to drop although ours would keep them:
    MonthClosed reports them.

    `encoder` belongs to the process and has learned the words of these events. Without it, words that no process has
    learned are stored beside their rows.
    """
    applied = Applied()
    if encoder is None:
        encoder = EventEncoder()
        await encoder.look_up(connection, events)
    encoder.keep_raw(rules.keep_raw)
    by_contact: dict[ContactKey, list[Entry]] = {}
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
    for event in unique(events):
        key = contact_key(event)
        if batch.rows.is_past_retention(event) and (key is None or is_inert(event)):
            applied.expired += 1
        elif key is None:
            nameless.append(event)
        else:
            by_contact.setdefault(key, []).append(event)
    await batch.take_in(by_contact)
    await batch.rows.write(applied)
    await batch.take_in_nameless(nameless)
    applied.duplicates = len(events) - applied.expired - applied.new_events - len(applied.leftover)
    return applied


class _Batch:
    """Folds the entries of one transaction, and gathers the rows to write."""

    def __init__(
        self,
        connection: WriterConnection,
        rules: BatchRules,
        now: datetime,
        applied: Applied,
        encoder: EventEncoder,
        *,
        trust_watermarks: bool,
        retired_months: frozenset[datetime] = frozenset(),
        bulk: bool = False,
    ) -> None:
        self.rows = BatchRows(connection, encoder, oldest_kept=rules.oldest_kept, retired_months=retired_months)
        self._connection = connection
        self._rules = rules
        self._now = now
        self._applied = applied
        self._encoder = encoder
        self._bulk = bulk
        self._recognition = Recognition(
            connection=connection,
            now=now,
            trust_watermarks=trust_watermarks,
            former_keys_until=rules.former_keys_until,
        )
        self._active: NumberedPolicy  # set under the locks
        self._refolds = BatchRefolds(connection, rules, now)

    async def take_in(self, by_contact: dict[ContactKey, list[Entry]]) -> None:
        """Folds the entries of these contacts: first existing contacts, in the order of their ids, then new ones.

        Two batches wait for each other in this order only, so never in a circle.
        """
        rows = await contact_rows.lock_contacts(self._connection, list(by_contact))
        self._active = active = await self._refolds.read(rows.values())
        registered = await self._recognition.registered(chain.from_iterable(by_contact.values()))
        if registered:
            by_contact = {key: without(entries, registered) for key, entries in by_contact.items()}
        remaining = dict(by_contact)
        await self._fold_existing(
            [BatchContact(key=key, row=row, entries=remaining.pop(key), policy=active) for key, row in rows.items()]
        )
        await self._fold_unknown(remaining)

    async def take_in_nameless(self, events: Sequence[FeedbackEvent]) -> None:
        """Stores events that name nobody. No contact's lock keeps two writers apart: their primary key does."""
        if not events:
            return
        known = await self._recognition.registered(events)
        doubts: list[Doubt] = [(event, None) for event in events]
        known |= await self._recognition.known(doubts)
        if known:  # no contact is locked here, which would be written and so waited for
            await secure_what_was_read(self._connection)
        new = sorted(without(events, known), key=lambda event: event.event_key)
        for event in new:
            if await self._encoder.insert_nameless(self._connection, event):
                self._applied.new_events += 1
                self._applied.kinds[event.provider, event.kind] += 1

    async def _fold_existing(self, contacts: list[BatchContact]) -> None:
        overtaken = await self._refolds.leave_giants(contacts)
        with_facts = [(contact, facts_from_row(contact.row)) for contact in contacts]
        is_surely_new = self._recognition.surely_new
        doubts: list[Doubt] = []
        surely_new: list[Doubt] = []
        for contact, facts in with_facts:
            contact_id = contact.row.id
            for entry in contact.entries:
                group = surely_new if is_surely_new(facts, entry) else doubts
                group.append((entry, contact_id))
        known = await self._recognition.known(doubts, surely_new)
        decided = [one.row for one in overtaken if isinstance(one.entries[0], Decision)]
        anew = await facts_anew(self._connection, decided, self._active)
        refold: list[BatchContact] = []
        for contact, facts in with_facts:
            if contact.entries and not isinstance(contact.entries[0], FeedbackEvent):
                contact.entries = self._to_store(contact, anew.get(contact.row.id, facts), known)
            elif known:
                contact.entries = without(contact.entries, known)
            if not contact.entries:
                if contact.row.id in anew or contact.policy is not self._active:
                    refold.append(contact)  # otherwise the next question is answered under the former policy
                continue
            self._store(contact.row.id, contact.entries)
            self.rows.note_mailed(contact.row, contact.entries)
            if not self._folds_in_place(contact, facts):
                refold.append(contact)
        if refold:
            await self._refold(refold)

    def _to_store(self, contact: BatchContact, facts: Facts, known: set[bytes]) -> list[Entry]:
        """The entries to store, without those that are known or change nothing. Notes the results of decisions."""
        policy, provisional = contact.policy.policy, self._refolds.provisional(contact.row.id)
        shown = stricter_facts(facts, provisional, policy, self._now)
        self._applied.results += repeats(contact.entries, known, shown, contact_id=contact.row.id, policy=policy)
        return self._decide(facts, without(contact.entries, known), contact.row.id, policy, provisional)

    def _decide(
        self,
        facts: Facts,
        entries: list[Entry],
        contact_id: int | None,
        policy: Policy,
        provisional: Facts | None = None,
    ) -> list[Entry]:
        """The entries as they are stored (see `decide`). No caller mixes decisions and events."""
        if not entries or isinstance(entries[0], FeedbackEvent):
            return entries
        to_store, results = decide(
            facts, entries, contact_id=contact_id, policy=policy, now=self._now, provisional=provisional
        )
        self._applied.results += results
        return to_store

    async def _fold_unknown(self, by_contact: Mapping[ContactKey, list[Entry]]) -> None:
        """Inserts contacts that did not exist, with facts folded from their entries alone."""
        surely_new = self._recognition.surely_new_with_its_contact
        doubts: list[Doubt] = [
            (entry, None) for entries in by_contact.values() for entry in entries if not surely_new(entry)
        ]
        if known := await self._recognition.known(doubts):
            by_contact = {key: without(entries, known) for key, entries in by_contact.items()}
        all_entries = by_contact
        policy = self._active.policy
        by_contact = {key: self._decide(Facts(), entries, None, policy) for key, entries in by_contact.items()}
        states = {
            key: contact_state(fold_all(Facts(), entries, policy), policy, self._now, policy_id=self._active.id)
            for key, entries in by_contact.items()
            if entries
        }
        new = [new_contact(key, by_contact[key], state) for key, state in states.items()]
        ids = await contact_rows.insert_contacts(self._connection, new)
        for key, contact_id in ids.items():
            self._store(contact_id, by_contact[key])
            self._note_change(UNKNOWN_STANDING, states[key].standing, by_contact[key], key=key, contact_id=contact_id)
        self._applied.results = with_ids(self._applied.results, ids)
        for entry in (entry for key in states if key not in ids for entry in all_entries[key]):
            if isinstance(entry, Decision):
                self._applied.leftover_decisions.append(entry)
            else:
                self._applied.leftover.append(entry)

    def _folds_in_place(self, contact: BatchContact, before: Facts) -> bool:
        """Folds the entries in as they come; False if one of them came too late for that."""
        if is_overtaken(contact.row, contact.policy):
            return False
        facts, entries, policy = before, contact.entries, contact.policy.policy
        for entry in in_order(entries):
            if not can_fold_directly(facts, entry):
                return False
            facts = fold(facts, entry, policy)
        if facts is before and all(map(is_inert, entries)):
            return True
        self.rows.passed_checkpoints += passed_checkpoints(contact.row.id, before, entries)
        refold = self._refolds.of(contact.row.id)
        if refold is not None:
            appended = refold.with_appended(entries, of_row=policy, active=self._active.policy)
            self._settle(contact, facts, refold=appended)
        elif facts is before:
            pass  # older than the latest known entry, but the latest among some checkpoints
        elif is_free(facts) and facts.latest_ordered is before.latest_ordered and is_free(before):
            self.rows.signs.append(sign_of_life(contact.row.id, facts))
        else:
            self._settle(contact, facts)
        return True

    async def _refold(self, contacts: Sequence[BatchContact]) -> None:
        """Folds contacts again, from all their stored entries.

        An entry came late, or the contact was folded under a former policy. In the latter case the change that the
        policy alone makes gets a line of its own in the history, before the line of the entries.
        """
        policy = self._active.policy
        overtaken = {contact.row.policy_id for contact in contacts if is_overtaken(contact.row, contact.policy)}
        former_policies = await self._rules.policies.of_all(self._connection, overtaken)
        contact_ids = [contact.row.id for contact in contacts]
        bases = await contact_rows.bases_of(self._connection, contact_ids)
        long = await self._refolds.fold_long_logs(contacts, bases)
        whole = [contact_id for contact_id in contact_ids if contact_id not in long]
        await delete_checkpoints(self._connection, whole)  # they do not contain the late entries
        stored = await stored_entries_by_contact(self._connection, whole)
        for contact in contacts:
            contact_id = contact.row.id
            if contact_id in long:
                await self._settle_long(contact, long[contact_id])
                continue
            before = stored.get(contact_id, [])
            history = [*before, *contact.entries]
            former = bases[contact_id]
            base = with_late = decode_facts(former.base)
            if former.base_until is not None:
                with_late = base_with_late(base, former.base_until, contact.entries, policy)
                if with_late is not base:
                    await contact_rows.store_base(self._connection, contact_id, encode_facts(with_late))
                before, history = entries_since(before, former.base_until), entries_since(history, former.base_until)
            if contact.row.policy_id in overtaken:
                self._begin_anew(contact, fold_all(base, before, policy), former_policies[contact.row.policy_id])
            self._settle(contact, fold_all(with_late, history, policy))
        self._applied.refolded += len(contacts)

    async def _settle_long(self, contact: BatchContact, result: LateResult) -> None:
        if result.base is not None:
            await contact_rows.store_base(self._connection, contact.row.id, encode_facts(result.base))
        self._settle(contact, result.facts, refold=result.refold)

    def _store(self, contact_id: int, entries: Sequence[Entry]) -> None:
        self._applied.contacts += 1
        self.rows.add_entries(contact_id, entries)

    def _begin_anew(self, contact: BatchContact, facts: Facts, former: NumberedPolicy) -> None:
        """Notes the change that the active policy makes before this batch; `facts` are folded under that policy."""
        old, line = standing_until_now(contact.row, former.policy, self._now, key=contact.key)
        contact.standing = contact_standing(facts, self._active.policy, self._now)
        self._applied.changes += line
        self._applied.changes += policy_lines(
            old, contact.standing, self._active, contact_id=contact.row.id, key=contact.key, now=self._now
        )

    def _settle(self, contact: BatchContact, facts: Facts, *, refold: OpenRefold | None = None) -> None:
        """Notes the rows to write for a contact that has these facts now.

        `refold` is its re-fold, if that has not ended.
        """
        row, policy = contact.row, contact.policy.policy
        old: LockedContact | ContactRow | ContactStanding
        if contact.standing is not None:
            old = contact.standing
        else:
            # A hold may have ended before this batch without the sweep noticing: the line for that is written first.
            old, line = standing_until_now(
                row, policy, self._now, key=contact.key, provisional=self._refolds.provisional(row.id)
            )
            self._applied.changes += line
        provisional = None
        if refold is not None:
            self.rows.refolds.append(refold)
            if self._refolds.is_new(refold):
                self._applied.requested_refolds.append(refold)
            provisional = refold.provisional
        new = contact_state(facts, policy, self._now, policy_id=contact.policy.id, provisional=provisional)
        self.rows.updates[row.id] = new
        self._note_change(old, new.standing, contact.entries, key=contact.key, contact_id=row.id)

    def _note_change(
        self,
        old: LockedContact | ContactRow | ContactStanding,
        new: ContactStanding,
        entries: Sequence[Entry],
        *,
        key: ContactKey,
        contact_id: int,
    ) -> None:
        if is_status_change(old, new):
            change = change_by_entries(
                old, new, entries, contact_id=contact_id, contact=key, now=self._now, bulk=self._bulk
            )
            self._applied.changes.append(change)

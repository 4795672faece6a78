"""Gives each contact one key after an upgrade too: contacts under a former spelling are renamed, or joined.

A contact that turns out to be the same as another one gives it its events and its history, and is deleted; the events
of both are folded again. Processors of any version may run meanwhile: rows are locked as batches lock them, and the
next run finds what an earlier processor stores meanwhile.

A run stores its progress in the transaction that does the work. So a killed run continues where it stopped, and the
next one looks only at new contacts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from schemas.address import normalise_address
from schemas.entry import Entry
from worker.contacts.contact_state import UNKNOWN_STANDING, contact_state
from worker.contacts.policies import NumberedPolicy, Policies
from worker.contacts.status_change import is_status_change, report_changes, status_change
from worker.errors import AlreadyStored, Deadlocked, MonthClosed
from worker.policy.event_order import order_key
from worker.policy.facts import Facts
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.fold import fold_all
from worker.policy.former_base import joined as joined_bases
from worker.policy.former_base import since as entries_since
from worker.policy.rule import Policy
from worker.process.logs import get_logger
from worker.store import contact_spelling
from worker.store.checkpoints import delete_checkpoints
from worker.store.contact_rows import (
    ContactKey,
    ContactRow,
    ContactStanding,
    ContactState,
    lock_contacts_by_id,
    update_contacts,
)
from worker.store.contact_spelling import ContactOrigin, contact_page, contacts_under
from worker.store.known_keys import KeyInMonth
from worker.store.partitions import retired_months
from worker.store.pool import Executor, WriterConnection, WriterPool
from worker.store.refolds import delete_refolds
from worker.store.status_history import StatusChange, append_status_changes
from worker.store.stored_entries import stored_entries_by_contact
from worker.store.writer_pool import refused_writes, writing

_log = get_logger()
_ACTOR = "migration"
_LOOKED_AT_AT_ONCE = 20_000
_RESPELLED_AT_ONCE = 200
# Ids are given before their transaction commits: contacts with ids just below the last one may appear later.
_LOOKED_AT_AGAIN = 50_000
_MOST_ATTEMPTS = 20
_LOG_EVERY_SECONDS = 5.0
# Meanwhile somebody stored a contact under the same address, retired a month, or waited for rows that we have locked.
_IN_THE_WAY = (AlreadyStored, MonthClosed, Deadlocked)

Progress = Callable[[int, int], None]  # the id up to which contacts are done, and the last id


class Respelled(Struct, kw_only=True):
    """The result of a run, or of one that would take place."""

    looked_at: int = 0
    renamed: int = 0
    joined: int = 0
    no_address: int = 0  # they stay as they are: nobody can ask about them


class _Former(Struct, frozen=True, kw_only=True):
    """A contact that is stored under another spelling."""

    id: int
    stored: ContactKey
    today: ContactKey


async def respell_contacts(
    pool: WriterPool, policies: Policies, *, now: datetime | None = None, progress: Progress | None = None
) -> Respelled:
    """Every contact that was stored when this began has its address in today's spelling when it returns.

    The statuses are those of `now`. Several runs may work at the same time. Raises StoreUnavailable; the work until
    then is kept.
    """
    done, logged_at = Respelled(), time.monotonic()
    last_id = await contact_spelling.highest_contact_id(pool)
    after_id = await _begin(pool) or 0
    while after_id < last_id and (page := await contact_page(pool, after_id=after_id, most=_LOOKED_AT_AT_ONCE)):
        formers = _formers(page.odd, done)
        for start in range(0, len(formers), _RESPELLED_AT_ONCE):
            some = formers[start : start + _RESPELLED_AT_ONCE]
            respelling = await _respell_some(pool, policies, some, now)
            done.renamed += respelling.renamed
            done.joined += len(respelling.into)
            if progress is not None:
                progress(some[-1].id, last_id)
            logged_at = _log_progress(done, some[-1].id, last_id, logged_at)
        await contact_spelling.note_looked_at(pool, page.last_id)
        after_id = page.last_id
        done.looked_at += page.contacts
        if progress is not None:
            progress(min(after_id, last_id), last_id)
        logged_at = _log_progress(done, after_id, last_id, logged_at)
    if done.renamed or done.joined:
        _log.info("contacts.respelled", renamed=done.renamed, joined=done.joined, no_address=done.no_address)
    return done


def _log_progress(done: Respelled, contact_id: int, last_id: int, logged_at: float) -> float:
    """Logs the progress every few seconds; returns when it was last logged."""
    if time.monotonic() - logged_at < _LOG_EVERY_SECONDS:
        return logged_at
    _log.info(
        "contacts.looked_at",
        contact_id=contact_id,
        last_contact_id=last_id,
        renamed=done.renamed,
        joined=done.joined,
    )
    return time.monotonic()


async def count_respellings(executor: Executor) -> Respelled:
    """The result that `respell_contacts` would have. Changes nothing; works before the migration too."""
    would = Respelled()
    after_id = await _begin(executor)
    occupied: set[ContactKey] = set()
    while after_id is not None and (page := await contact_page(executor, after_id=after_id, most=_LOOKED_AT_AT_ONCE)):
        keys = [former.today for former in _formers(page.odd, would)]
        occupied.update(await contacts_under(executor, keys))
        for key in keys:
            would.joined += key in occupied
            would.renamed += key not in occupied
            occupied.add(key)
        after_id = page.last_id
        would.looked_at += page.contacts
    return would


async def _begin(executor: Executor) -> int | None:
    looked_at_to = await contact_spelling.looked_at_to(executor)
    return None if looked_at_to is None else max(0, looked_at_to - _LOOKED_AT_AGAIN)


def _formers(odd: Mapping[int, ContactKey], done: Respelled) -> list[_Former]:
    """The contacts with another spelling, in the order of their ids."""
    formers = []
    for contact_id, stored in sorted(odd.items()):
        address = normalise_address(stored.address)
        if address is None:
            done.no_address += 1
        elif address != stored.address:
            formers.append(_Former(id=contact_id, stored=stored, today=replace(stored, address=address)))
    return formers


async def _respell_some(
    pool: WriterPool, policies: Policies, formers: Sequence[_Former], now: datetime | None
) -> "_Respelling":
    """Runs one transaction, again if others were in the way; returns its result."""
    for attempt in range(1, _MOST_ATTEMPTS + 1):
        try:
            with refused_writes():
                async with writing(pool, "giving contacts today's spelling") as connection:
                    respelling = _Respelling(connection, await policies.active(connection), now or datetime.now(UTC))
                    await respelling.run(formers)
                    await contact_spelling.note_looked_at(connection, formers[-1].id)
            break
        except _IN_THE_WAY:
            if attempt == _MOST_ATTEMPTS:
                raise
    report_changes(respelling.changes)
    return respelling


class _Respelling:
    """The work of one transaction."""

    def __init__(self, connection: WriterConnection, active: NumberedPolicy, now: datetime) -> None:
        self._connection = connection
        self._active = active
        self._policy = active.policy
        self._now = now
        self.renamed = 0
        self.into: dict[int, int] = {}  # the deleted contacts, each with the one that has joined it
        self.changes: list[StatusChange] = []

    async def run(self, formers: Sequence[_Former]) -> None:
        """Renames or joins the contacts, unless they have changed meanwhile."""
        await contact_spelling.lock_spelling(self._connection)
        groups = await self._lock_groups(formers)
        # Of several contacts, the one with today's spelling stays, otherwise the first.
        stays = {key: next((r for r in rows if r.key == key), rows[0]) for key, rows in groups.items()}
        for key, rows in groups.items():
            self.into.update({row.id: stays[key].id for row in rows if row is not stays[key]})
        several = {key: rows for key, rows in groups.items() if len(rows) > 1}
        standings = {key: _standing_of(row) for key, row in stays.items()}
        if several:
            standings |= await self._join(several, stays)
        renamed = [replace(row, address=key.address) for key, row in stays.items() if row.key != key]
        await contact_spelling.rename_contacts(self._connection, renamed)
        self.renamed = len(renamed)
        await self._add_changes(groups, stays, standings)

    async def _lock_groups(self, formers: Sequence[_Former]) -> dict[ContactKey, list[ContactRow]]:
        """The locked rows of contacts that are the same, by their future address, in the order of their ids."""
        by_id = {former.id: former for former in formers}
        others = await contacts_under(self._connection, {former.today for former in formers})
        keys = {contact_id: key for key, contact_id in others.items()}
        groups: dict[ContactKey, list[ContactRow]] = {}
        for row in await lock_contacts_by_id(self._connection, [*by_id, *keys]):
            former = by_id.get(row.id)
            if former is None:
                groups.setdefault(keys[row.id], []).append(row)
            elif row.key == former.stored:  # else another run was here before
                groups.setdefault(former.today, []).append(row)
        return {key: rows for key, rows in groups.items() if any(row.id in by_id for row in rows)}

    async def _join(
        self, groups: Mapping[ContactKey, Sequence[ContactRow]], stays: Mapping[ContactKey, ContactRow]
    ) -> dict[ContactKey, ContactStanding]:
        """Gives the events and the history of all to the contacts that stay; returns their standings."""
        ids = [row.id for rows in groups.values() for row in rows]
        events_of = await stored_entries_by_contact(self._connection, ids)
        copies: list[KeyInMonth] = []
        origins: list[ContactOrigin] = []
        states: dict[int, ContactState] = {}
        for key, rows in groups.items():
            copies += _copies({row.id: events_of.get(row.id, []) for row in rows})
            base, until = _base(rows, events_of, self._policy)
            first_seen_at = min(row.first_seen_at for row in rows)
            mailed = min((row.first_mailed_at for row in rows if row.first_mailed_at is not None), default=None)
            origins.append(
                ContactOrigin(
                    id=stays[key].id,
                    first_seen_at=first_seen_at,
                    first_mailed_at=mailed,
                    base=base,
                    base_until=until,
                )
            )
            events = [event for row in rows for event in events_of.get(row.id, ())]
            if until is not None:
                events = entries_since(events, until)
            facts = fold_all(decode_facts(base), events, self._policy)
            states[stays[key].id] = contact_state(facts, self._policy, self._now, policy_id=self._active.id)
        await delete_checkpoints(self._connection, ids)
        await delete_refolds(self._connection, ids)  # everything is folded in here
        await contact_spelling.delete_copies(self._connection, copies)
        retired = await retired_months(self._connection)
        await contact_spelling.move_to(self._connection, self.into, retired_months=retired)
        await contact_spelling.store_origins(self._connection, origins)
        await update_contacts(self._connection, states)
        return {key: states[stays[key].id].standing for key in groups}

    async def _add_changes(
        self,
        groups: Mapping[ContactKey, Sequence[ContactRow]],
        stays: Mapping[ContactKey, ContactRow],
        standings: Mapping[ContactKey, ContactStanding],
    ) -> None:
        """Adds a status change wherever a reader of the feed may know another status for this address."""
        last_changes = await contact_spelling.last_statuses(self._connection, list(set(self.into.values())))
        for key, rows in groups.items():
            row = stays[key]
            stored_standing = _standing_of(row) if row.key == key else UNKNOWN_STANDING
            befores = [stored_standing]
            if row.id in last_changes:
                # The last change may have been about another spelling, and a reader who has not read it yet sees this
                # one.
                last = last_changes[row.id]
                befores.append(
                    replace(stored_standing, status=last.new_status, blocks=last.new_blocks, status_until=last.until)
                )
            before = next((before for before in befores if is_status_change(before, standings[key])), None)
            if before is None:
                continue
            spellings = ", ".join(other.address for other in rows if other.key != key)
            self.changes.append(
                status_change(
                    before,
                    standings[key],
                    contact_id=row.id,
                    contact=key,
                    now=self._now,
                    actor=_ACTOR,
                    note=f"was also stored under another spelling of this address: {spellings}",
                    bulk=True,
                )
            )
        await append_status_changes(self._connection, self.changes)


def _standing_of(row: ContactRow) -> ContactStanding:
    """The stored standing."""
    return ContactStanding(**{name: getattr(row, name) for name in ContactStanding.columns()})


def _copies(events_of: Mapping[int, Sequence[Entry]]) -> list[KeyInMonth]:
    """All copies but the first of each event that is stored more than once."""
    in_order = sorted(((order_key(event), contact_id) for contact_id, events in events_of.items() for event in events))
    first_keys: set[bytes] = set()
    copies = []
    for key, contact_id in in_order:
        if key.event_key in first_keys:
            copies.append(KeyInMonth(contact_id=contact_id, occurred_at=key.occurred_at, entry_key=key.event_key))
        first_keys.add(key.event_key)
    return copies


def _base(
    rows: Sequence[ContactRow], events_of: Mapping[int, Sequence[Entry]], policy: Policy
) -> tuple[bytes | None, datetime | None]:
    """The facts before some moment, and that moment, from which all events are folded onto them.

    Nearly always None: there is no base. Otherwise the moment is the latest one of all bases, and events of a contact
    between its own and that moment go into the base.
    """
    until = max((row.base_until for row in rows if row.base_until is not None), default=None)
    if until is None:
        return None, None
    base = Facts()
    for row in rows:
        older = [event for event in events_of.get(row.id, ()) if event.occurred_at < until]
        if row.base_until is not None:
            older = entries_since(older, row.base_until)
        base = joined_bases(base, fold_all(decode_facts(row.base), older, policy))
    return encode_facts(base), until

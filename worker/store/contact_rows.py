"""The row of a contact: read, locked, inserted, updated; many at once, and always locked in one order.

The columns are declared once for each use: `ContactRow` has all of them, `LockedContact` those that a batch reads,
`ContactState` those that it writes. schemas/database says what they mean.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple

from worker.store.pool import Connection, WriterConnection
from worker.store.row import Row


class ContactKey(Row, frozen=True, cache_hash=True):
    """Identifies a contact. The order is that of the unique index."""

    address: str
    account: str
    channel: str


class ContactId(ContactKey, frozen=True):
    """The id of a contact that is stored."""

    id: int


class ContactFacts(Row, frozen=True):
    """The columns of the facts (worker.policy.facts_encoding)."""

    last_delivered_at: datetime | None
    last_delivered_message: str | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    latest_at: datetime | None
    latest_rank: int | None
    latest_key: bytes | None
    latest_ordered_at: datetime | None
    latest_ordered_rank: int | None
    latest_ordered_key: bytes | None
    facts_detail: bytes | None
    policy_id: (
        int | None
    )  # of the policy under which they were folded; None: they are the same under any (schemas/database/0013)


class ContactStanding(Row, frozen=True):
    """The columns of the standing, as of the last write."""

    status: str
    blocks: str
    status_since: datetime | None
    status_until: datetime | None
    next_change_at: datetime | None
    cause: str
    rule: str | None
    status_event_key: bytes | None
    lift_by: Sequence[str] | None


class LockedContact(ContactFacts, frozen=True):
    """The columns that a batch reads, and no others: for thousands of rows each column counts.

    A batch replaces the rest of the standing, or does not touch it. Bases are read separately (`bases_of`).
    """

    id: int
    place: int  # of its key in the question, from 1
    status: str
    blocks: str
    status_until: datetime | None
    next_change_at: datetime | None
    first_mailed_at: datetime | None


class ContactRow(ContactFacts, frozen=True):
    """A whole contact."""

    id: int
    address: str
    account: str
    channel: str
    first_seen_at: datetime
    first_mailed_at: datetime | None  # worker.policy.mailing; None: never
    status: str
    blocks: str
    status_since: datetime | None
    status_until: datetime | None
    next_change_at: datetime | None
    cause: str
    rule: str | None
    status_event_key: bytes | None
    lift_by: Sequence[str] | None
    base: bytes | None
    base_until: datetime | None

    @property
    def key(self) -> ContactKey:
        """The key of the contact."""
        return ContactKey(address=self.address, account=self.account, channel=self.channel)


class ContactState(Struct, frozen=True, kw_only=True, gc=False):
    """The columns that a batch writes."""

    standing: ContactStanding
    facts: ContactFacts


class NewContact(Struct, frozen=True, kw_only=True, gc=False):
    """A contact that is not stored yet."""

    key: ContactKey
    first_seen_at: datetime
    first_mailed_at: datetime | None
    state: ContactState


class SignOfLife(Row, frozen=True):
    """The columns that a delivery, an open or a click changes in a free contact, which is `active` then."""

    id: int
    last_delivered_at: datetime | None
    last_delivered_message: str | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    latest_at: datetime | None
    latest_rank: int | None
    latest_key: bytes | None


class FormerBase(Row, frozen=True):
    """The facts from before a contact's oldest event, kept by a former version, and the moment when they end."""

    id: int
    base: bytes | None
    base_until: datetime | None


# Rows on their way into `contacts`, through tables that every session of a WriterPool has. COPY into a table of the
# session costs a third of passing them as arrays.
_FIRST_COLUMNS = ("first_seen_at", "first_mailed_at")
_first_values: Callable[[NewContact], tuple[Any, ...]] = operator.attrgetter(*_FIRST_COLUMNS)
_STATE_COLUMNS = (*ContactStanding.columns(), *ContactFacts.columns())  # in the order of `_state_values`
_STAGED = {
    "staged_new": (*ContactKey.columns(), *_FIRST_COLUMNS, *_STATE_COLUMNS),
    "staged_changed": ("id", *_STATE_COLUMNS),
    "staged_signs": SignOfLife.columns(),
}
STAGING = "; ".join(
    f"CREATE TEMPORARY TABLE {table} ON COMMIT DELETE ROWS AS SELECT {', '.join(columns)} FROM contacts WITH NO DATA"  # noqa: S608 - constants
    for table, columns in _STAGED.items()
)

# Locks the rows in the order of their ids: two batches that share contacts wait for each other, but never in a circle.
# NO KEY: nothing refers to a contact's key, and this weaker lock is the one an UPDATE takes anyway.
# Compared as rows, so that only the index of addresses serves: with `=` Postgres may choose the index of accounts while
# the table is empty, keep this plan, and read a whole account for each address when the table has grown.
_LOCK = f"""
    SELECT {LockedContact.select_list()}
      FROM {ContactKey.unnest("k", with_place=True)}
      JOIN contacts c ON (c.address, c.account, c.channel) >= (k.address, k.account, k.channel)
                     AND (c.address, c.account, c.channel) <= (k.address, k.account, k.channel)
     ORDER BY c.id
       FOR NO KEY UPDATE OF c
"""  # noqa: S608 - the column list is made of names in this file

_LOCK_BY_ID = f"""
    SELECT {ContactRow.select_list()} FROM contacts
     WHERE id = ANY ($1::bigint[])
     ORDER BY id
       FOR NO KEY UPDATE
"""  # noqa: S608 - as above

_LOCK_DUE = f"""
    SELECT {ContactRow.select_list()} FROM contacts
     WHERE next_change_at <= $1
     ORDER BY id
     LIMIT $2
       FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - as above

_BASES = f"SELECT {FormerBase.select_list()} FROM contacts WHERE id = ANY ($1::bigint[])"  # noqa: S608 - as above

_INSERT = f"""
    INSERT INTO contacts ({", ".join(_STAGED["staged_new"])})
    SELECT {", ".join(_STAGED["staged_new"])} FROM staged_new ORDER BY address, account, channel
    ON CONFLICT (address, account, channel) DO NOTHING
    RETURNING {ContactId.select_list()}
"""  # noqa: S608 - as above


_UPDATE = f"""
    UPDATE contacts c SET {ContactStanding.assignments("s")}, {ContactFacts.assignments("s")}
      FROM staged_changed s WHERE c.id = s.id
"""  # noqa: S608 - as above

_UPDATE_SIGNS = f"""
    UPDATE contacts c SET status = 'active', {SignOfLife.assignments("s", key="id")}
      FROM staged_signs s WHERE c.id = s.id
"""  # noqa: S608 - as above

_UPDATE_FIRST_MAILED = """
    UPDATE contacts c SET first_mailed_at = m.at
      FROM unnest($1::bigint[], $2::timestamptz[]) AS m (id, at) WHERE c.id = m.id
"""


async def lock_contacts(connection: Connection, keys: Sequence[ContactKey]) -> dict[ContactKey, LockedContact]:
    """The rows of existing contacts by key, in the order of their ids; locked until the transaction ends."""
    if not keys:
        return {}
    rows = LockedContact.rows(await connection.fetch(_LOCK, *ContactKey.arrays(keys)))
    return {keys[row.place - 1]: row for row in rows}


async def lock_contacts_by_id(connection: Connection, contact_ids: Sequence[int]) -> list[ContactRow]:
    """The whole rows, locked in the order of their ids until the transaction ends."""
    return ContactRow.rows(await connection.fetch(_LOCK_BY_ID, list(contact_ids)))


async def lock_due_contacts(connection: Connection, now: datetime, limit: int) -> list[ContactRow]:
    """Up to `limit` contacts whose standing changes by time alone at or before `now`, locked."""
    return ContactRow.rows(await connection.fetch(_LOCK_DUE, now, limit))


async def bases_of(connection: Connection, contact_ids: Sequence[int]) -> dict[int, FormerBase]:
    """Each contact's base, by its id."""
    return {row.id: row for row in FormerBase.rows(await connection.fetch(_BASES, list(contact_ids)))}


async def store_base(connection: Connection, contact_id: int, base: bytes | None) -> None:
    """Replaces a contact's base. This transaction has locked its row."""
    await connection.execute("UPDATE contacts SET base = $2 WHERE id = $1", contact_id, base)


async def insert_contacts(connection: WriterConnection, contacts: Sequence[NewContact]) -> dict[ContactKey, int]:
    """Inserts the contacts; returns the ids of the new ones.

    If a key is missing from the answer, somebody else has inserted and committed it meanwhile: lock it.
    """
    if not contacts:
        return {}
    rows = map(_new_values, contacts)
    await _stage(connection, "staged_new", rows)
    return ids_by_key(ContactId.rows(await connection.fetch(_INSERT)))


def ids_by_key(rows: Iterable[ContactId]) -> dict[ContactKey, int]:
    """The ids of the contacts."""
    return {ContactKey(address=row.address, account=row.account, channel=row.channel): row.id for row in rows}


async def write_signs_of_life(connection: WriterConnection, signs: Sequence[SignOfLife]) -> None:
    """Writes the times of contacts that this transaction has locked."""
    if signs:
        await _stage(connection, "staged_signs", map(astuple, signs))
        await connection.execute(_UPDATE_SIGNS)


async def update_contacts(connection: WriterConnection, states: Mapping[int, ContactState]) -> None:
    """Writes facts and standing of contacts, by id. This transaction has locked them."""
    if states:
        rows = ((contact_id, *_state_values(state)) for contact_id, state in states.items())
        await _stage(connection, "staged_changed", rows)
        await connection.execute(_UPDATE)


async def write_first_mailed(connection: WriterConnection, moments: Mapping[int, datetime]) -> None:
    """Writes when contacts were first mailed, by id. This transaction has locked them."""
    if moments:
        await connection.execute(_UPDATE_FIRST_MAILED, list(moments), list(moments.values()))


def _new_values(contact: NewContact) -> tuple[Any, ...]:
    return astuple(contact.key) + _first_values(contact) + _state_values(contact.state)


def _state_values(state: ContactState) -> tuple[Any, ...]:
    return astuple(state.standing) + astuple(state.facts)


async def _stage(connection: WriterConnection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    await connection.copy_records_to_table(table, columns=_STAGED[table], records=rows)

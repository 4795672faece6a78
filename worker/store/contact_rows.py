"""The row of a contact: read, locked, inserted, updated; many at once, and always locked in one order."""

import operator
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import asyncpg
from msgspec import Struct

from worker.store.pool import Connection, WriterConnection

ContactKey = tuple[str, str, str]  # address, account, channel: the order of the unique index


NOT_ASKED = datetime.min.replace(tzinfo=UTC)


class ContactRow(Struct, frozen=True, gc=False):
    """One contact as it is stored, fields in the order of `_COLUMNS`. What they mean is said in schemas/database.

    Not keyword-only, against the custom of this house: each of a batch's thousands is made straight from a
    database record, and by position that costs a seventh.
    """

    id: int
    address: str
    account: str
    channel: str
    first_seen_at: datetime = NOT_ASKED
    status: str = "new"
    blocks: str = "none"
    status_since: datetime | None = None
    status_until: datetime | None = None
    next_change_at: datetime | None = None
    cause: str = "none"
    rule: str | None = None
    status_event_key: bytes | None = None
    lift_by: Sequence[str] | None = None
    last_delivered_at: datetime | None = None
    last_delivered_message: str | None = None
    last_opened_at: datetime | None = None
    last_clicked_at: datetime | None = None
    latest_at: datetime | None = None
    latest_rank: int | None = None
    latest_key: bytes | None = None
    latest_ordered_at: datetime | None = None
    latest_ordered_rank: int | None = None
    latest_ordered_key: bytes | None = None
    facts_detail: bytes | None = None
    base: bytes | None = None
    base_until: datetime | None = None


class SignOfLife(Struct, frozen=True, gc=False):
    """What a delivery, an open or a click moves in a contact about whom nothing grave is known: it is `active`."""

    id: int
    last_delivered_at: datetime | None
    last_delivered_message: str | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    latest_at: datetime | None
    latest_rank: int | None
    latest_key: bytes | None


_COLUMNS = tuple(ContactRow.__struct_fields__)
# A base was written by a former version alone.
_NEW_COLUMNS = _COLUMNS[_COLUMNS.index("address") : _COLUMNS.index("base")]
_CHANGED_COLUMNS = ("id", *_COLUMNS[_COLUMNS.index("status") : _COLUMNS.index("base")])
_SIGN_COLUMNS = tuple(SignOfLife.__struct_fields__)
CONTACT_COLUMNS = ", ".join(f"c.{name}" for name in _COLUMNS)

# Rows on their way into `contacts`, through tables that every session of a WriterPool has. COPY into a table of the
# session costs a third of passing them as arrays.
STAGING = "; ".join(
    f"CREATE TEMPORARY TABLE {table} ON COMMIT DELETE ROWS AS SELECT {', '.join(columns)} FROM contacts WITH NO DATA"  # noqa: S608 - constants
    for table, columns in (
        ("staged_new", _NEW_COLUMNS),
        ("staged_changed", _CHANGED_COLUMNS),
        ("staged_signs", _SIGN_COLUMNS),
    )
)

# The rows come locked in the order of their ids: two batches that share contacts wait for each other, and never
# in a circle. NO KEY: nothing refers to a contact's key, and this weaker lock is the one an UPDATE takes anyway.
#
# Only what every batch needs of a row comes over the wire: at thousands of rows a batch each column counts.
_LOCK = """
    SELECT k.place, c.id, c.status, c.blocks, c.status_until, c.next_change_at, c.last_delivered_at,
           c.last_delivered_message, c.last_opened_at, c.last_clicked_at, c.latest_at, c.latest_rank,
           c.latest_key, c.latest_ordered_at, c.latest_ordered_rank, c.latest_ordered_key, c.facts_detail
      FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (address, account, channel, place)
      JOIN contacts c ON c.address = k.address AND c.account = k.account AND c.channel = k.channel
     ORDER BY c.id
       FOR NO KEY UPDATE OF c
"""

_DUE = f"""
    SELECT {CONTACT_COLUMNS} FROM contacts c
     WHERE c.next_change_at <= $1
     ORDER BY c.id
     LIMIT $2
       FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - the column list is a constant above

_INSERT = f"""
    INSERT INTO contacts ({", ".join(_NEW_COLUMNS)})
    SELECT {", ".join(_NEW_COLUMNS)} FROM staged_new ORDER BY address, account, channel
    ON CONFLICT (address, account, channel) DO NOTHING
    RETURNING id, address, account, channel
"""  # noqa: S608 - the column list is a constant above


def _assignments(names: Iterable[str]) -> str:
    return ", ".join(f"{name} = s.{name}" for name in names)


_UPDATE = f"""
    UPDATE contacts c SET {_assignments(_CHANGED_COLUMNS[1:])} FROM staged_changed s WHERE c.id = s.id
"""  # noqa: S608 - the column list is a constant above

_UPDATE_SIGNS = f"""
    UPDATE contacts c SET status = 'active', {_assignments(_SIGN_COLUMNS[1:])} FROM staged_signs s WHERE c.id = s.id
"""  # noqa: S608 - the column list is a constant above


async def lock_contacts(connection: Connection, keys: Sequence[ContactKey]) -> list[ContactRow]:
    """The rows of those of the keys that exist, locked until the transaction ends.

    Left at their defaults are the columns that no batch asks for: first_seen_at, the standing's since, cause,
    rule, event and lift_by (they are written anew, or not at all), and the base (`bases_of`).
    """
    if not keys:
        return []
    records = await connection.fetch(_LOCK, *zip(*keys, strict=True))
    return [
        ContactRow(*(r[1], *keys[r[0] - 1], NOT_ASKED, r[2], r[3], None, r[4], r[5], "none", None, None, None, *r[6:]))
        for r in records
    ]


async def bases_of(
    connection: Connection, contact_ids: Sequence[int]
) -> dict[int, tuple[bytes | None, datetime | None]]:
    """Each contact's base and the moment until which it holds."""
    records = await connection.fetch(
        "SELECT id, base, base_until FROM contacts WHERE id = ANY ($1::bigint[])", list(contact_ids)
    )
    return {number: (base, until) for number, base, until in records}


async def store_base(connection: Connection, contact_id: int, base: bytes | None) -> None:
    """Changes what was known of a contact before its oldest event; its row is locked by this transaction."""
    await connection.execute("UPDATE contacts SET base = $2 WHERE id = $1", contact_id, base)


async def lock_due_contacts(connection: Connection, now: datetime, limit: int) -> list[ContactRow]:
    """Up to `limit` contacts whose standing changes by time alone at or before `now`, locked."""
    return [contact_row(record) for record in await connection.fetch(_DUE, now, limit)]


async def lock_contacts_where(connection: Connection, condition: str, *values: object) -> list[ContactRow]:
    """The rows that meet a condition of this package's own, locked in the order of their ids."""
    statement = f"SELECT {CONTACT_COLUMNS} FROM contacts c WHERE {condition} ORDER BY c.id FOR NO KEY UPDATE"  # noqa: S608 - constants only
    return [contact_row(record) for record in await connection.fetch(statement, *values)]


async def insert_contacts(connection: WriterConnection, rows: Sequence[ContactRow]) -> dict[ContactKey, int]:
    """The ids of the rows that were new; `id` in the rows is ignored.

    A key that is missing from the answer was inserted meanwhile by somebody else, who has committed: lock it.
    """
    if not rows:
        return {}
    await _stage(connection, "staged_new", _NEW_COLUMNS, rows)
    records = await connection.fetch(_INSERT)
    return {(address, account, channel): number for number, address, account, channel in records}


async def write_signs_of_life(connection: WriterConnection, signs: Sequence[SignOfLife]) -> None:
    """Moves the times of contacts that are locked by this transaction."""
    if signs:
        await _stage(connection, "staged_signs", _SIGN_COLUMNS, signs)
        await connection.execute(_UPDATE_SIGNS)


async def update_contacts(connection: WriterConnection, rows: Sequence[ContactRow]) -> None:
    """Writes facts and standing of contacts that are locked by this transaction."""
    if rows:
        await _stage(connection, "staged_changed", _CHANGED_COLUMNS, rows)
        await connection.execute(_UPDATE)


async def _stage(
    connection: WriterConnection, table: str, columns: Sequence[str], rows: Sequence[ContactRow | SignOfLife]
) -> None:
    get = operator.attrgetter(*columns)
    await connection.copy_records_to_table(table, columns=columns, records=map(get, rows))


def contact_row(record: asyncpg.Record) -> ContactRow:
    """The row of a record with `CONTACT_COLUMNS`."""
    return ContactRow(*record)

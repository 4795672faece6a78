"""The row of a contact: locked, inserted, updated; always many at once, always in one order."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct

from worker.store.pool import Connection

ContactKey = tuple[str, str, str]  # address, account, channel: the order of the unique index


class ContactRow(Struct, frozen=True, kw_only=True, gc=False):
    """One contact as it is stored. What the columns mean is said in schemas/database."""

    id: int
    address: str
    account: str
    channel: str
    status: str = "new"
    blocks: str = "none"
    status_since: datetime | None = None
    status_until: datetime | None = None
    next_change_at: datetime | None = None
    cause: str = "none"
    rule: str | None = None
    status_event_key: bytes | None = None
    lift_by: tuple[str, ...] | None = None
    first_seen_at: datetime
    last_delivered_at: datetime | None = None
    last_delivered_message: str | None = None
    last_opened_at: datetime | None = None
    last_clicked_at: datetime | None = None
    latest_at: datetime | None = None
    latest_key: bytes | None = None
    latest_ordered_at: datetime | None = None
    latest_ordered_key: bytes | None = None
    facts_detail: bytes | None = None
    base: bytes | None = None
    base_until: datetime | None = None


_COLUMNS = (
    "id, address, account, channel, status, blocks, status_since, status_until, next_change_at, cause, rule,"
    " status_event_key, lift_by, first_seen_at, last_delivered_at, last_delivered_message, last_opened_at,"
    " last_clicked_at, latest_at, latest_key, latest_ordered_at, latest_ordered_key, facts_detail, base,"
    " base_until"
)
_PREFIXED_COLUMNS = ", ".join(f"c.{name.strip()}" for name in _COLUMNS.split(","))

# The rows come locked in the order of their ids: two batches that share contacts wait for each other, and never
# in a circle. NO KEY: nothing refers to a contact's key, and this weaker lock is the one an UPDATE takes anyway.
_LOCK = f"""
    SELECT {_PREFIXED_COLUMNS}
      FROM unnest($1::text[], $2::text[], $3::text[]) AS k (address, account, channel)
      JOIN contacts c ON c.address = k.address AND c.account = k.account AND c.channel = k.channel
     ORDER BY c.id
       FOR NO KEY UPDATE OF c
"""  # noqa: S608 - the column list is a constant above

_DUE = f"""
    SELECT {_PREFIXED_COLUMNS} FROM contacts c
     WHERE c.next_change_at <= $1
     ORDER BY c.id
     LIMIT $2
       FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - the column list is a constant above

_INSERT = """
    INSERT INTO contacts (address, account, channel, status, blocks, status_since, status_until, next_change_at,
        cause, rule, status_event_key, lift_by, first_seen_at, last_delivered_at, last_delivered_message,
        last_opened_at, last_clicked_at, latest_at, latest_key, latest_ordered_at, latest_ordered_key, facts_detail)
    SELECT n.address, n.account, n.channel, n.status, n.blocks, n.status_since, n.status_until, n.next_change_at,
        n.cause, n.rule, n.status_event_key, string_to_array(n.lift_by, ' '), n.first_seen_at, n.last_delivered_at,
        n.last_delivered_message, n.last_opened_at, n.last_clicked_at, n.latest_at, n.latest_key,
        n.latest_ordered_at, n.latest_ordered_key, n.facts_detail
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
        $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[], $11::bytea[], $12::text[],
        $13::timestamptz[], $14::timestamptz[], $15::text[], $16::timestamptz[], $17::timestamptz[],
        $18::timestamptz[], $19::bytea[], $20::timestamptz[], $21::bytea[], $22::bytea[])
        AS n (address, account, channel, status, blocks, status_since, status_until, next_change_at, cause, rule,
        status_event_key, lift_by, first_seen_at, last_delivered_at, last_delivered_message, last_opened_at,
        last_clicked_at, latest_at, latest_key, latest_ordered_at, latest_ordered_key, facts_detail)
     ORDER BY n.address, n.account, n.channel
    ON CONFLICT (address, account, channel) DO NOTHING
    RETURNING id, address, account, channel
"""

# The commonest change by far: something was delivered to, or opened by, a contact about whom nothing else is new.
_UPDATE_TIMES = """
    UPDATE contacts c SET
        last_delivered_at = n.last_delivered_at, last_delivered_message = n.last_delivered_message,
        last_opened_at = n.last_opened_at, last_clicked_at = n.last_clicked_at,
        latest_at = n.latest_at, latest_key = n.latest_key
      FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::timestamptz[],
        $6::timestamptz[], $7::bytea[])
        AS n (id, last_delivered_at, last_delivered_message, last_opened_at, last_clicked_at, latest_at, latest_key)
     WHERE c.id = n.id
"""

_UPDATE = """
    UPDATE contacts c SET
        status = n.status, blocks = n.blocks, status_since = n.status_since, status_until = n.status_until,
        next_change_at = n.next_change_at, cause = n.cause, rule = n.rule, status_event_key = n.status_event_key,
        lift_by = string_to_array(n.lift_by, ' '), last_delivered_at = n.last_delivered_at,
        last_delivered_message = n.last_delivered_message, last_opened_at = n.last_opened_at,
        last_clicked_at = n.last_clicked_at, latest_at = n.latest_at, latest_key = n.latest_key,
        latest_ordered_at = n.latest_ordered_at, latest_ordered_key = n.latest_ordered_key,
        facts_detail = n.facts_detail
      FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
        $7::text[], $8::text[], $9::bytea[], $10::text[], $11::timestamptz[], $12::text[], $13::timestamptz[],
        $14::timestamptz[], $15::timestamptz[], $16::bytea[], $17::timestamptz[], $18::bytea[], $19::bytea[])
        AS n (id, status, blocks, status_since, status_until, next_change_at, cause, rule, status_event_key,
        lift_by, last_delivered_at, last_delivered_message, last_opened_at, last_clicked_at, latest_at, latest_key,
        latest_ordered_at, latest_ordered_key, facts_detail)
     WHERE c.id = n.id
"""


async def lock_contacts(connection: Connection, keys: Iterable[ContactKey]) -> list[ContactRow]:
    """The rows of those of the keys that exist, locked until the transaction ends."""
    columns = list(zip(*keys, strict=True))
    return [contact_row(record) for record in await connection.fetch(_LOCK, *columns)] if columns else []


async def lock_due_contacts(connection: Connection, now: datetime, limit: int) -> list[ContactRow]:
    """Up to `limit` contacts whose standing changes by time alone at or before `now`, locked."""
    return [contact_row(record) for record in await connection.fetch(_DUE, now, limit)]


async def lock_contacts_where(connection: Connection, condition: str, *values: object) -> list[ContactRow]:
    """The rows that meet a condition of this package's own, locked in the order of their ids."""
    statement = f"SELECT {_PREFIXED_COLUMNS} FROM contacts c WHERE {condition} ORDER BY c.id FOR NO KEY UPDATE"  # noqa: S608 - constants only
    return [contact_row(record) for record in await connection.fetch(statement, *values)]


async def insert_contacts(connection: Connection, rows: Sequence[ContactRow]) -> dict[ContactKey, int]:
    """The ids of the rows that were new; `id` in the rows is ignored.

    A key that is missing from the answer was inserted meanwhile by somebody else, who has committed: lock it.
    """
    values = [
        (
            row.address,
            row.account,
            row.channel,
            row.status,
            row.blocks,
            row.status_since,
            row.status_until,
            row.next_change_at,
            row.cause,
            row.rule,
            row.status_event_key,
            _joined(row.lift_by),
            row.first_seen_at,
            row.last_delivered_at,
            row.last_delivered_message,
            row.last_opened_at,
            row.last_clicked_at,
            row.latest_at,
            row.latest_key,
            row.latest_ordered_at,
            row.latest_ordered_key,
            row.facts_detail,
        )
        for row in rows
    ]
    records = await connection.fetch(_INSERT, *zip(*values, strict=True)) if values else []
    return {(address, account, channel): number for number, address, account, channel in records}


async def update_contact_times(connection: Connection, rows: Sequence[ContactRow]) -> None:
    """Writes only the times and `latest` of rows that are locked by this transaction."""
    values = [
        (
            row.id,
            row.last_delivered_at,
            row.last_delivered_message,
            row.last_opened_at,
            row.last_clicked_at,
            row.latest_at,
            row.latest_key,
        )
        for row in rows
    ]
    if values:
        await connection.execute(_UPDATE_TIMES, *zip(*values, strict=True))


async def update_contacts(connection: Connection, rows: Sequence[ContactRow]) -> None:
    """Writes facts and standing of rows that are locked by this transaction."""
    values = [
        (
            row.id,
            row.status,
            row.blocks,
            row.status_since,
            row.status_until,
            row.next_change_at,
            row.cause,
            row.rule,
            row.status_event_key,
            _joined(row.lift_by),
            row.last_delivered_at,
            row.last_delivered_message,
            row.last_opened_at,
            row.last_clicked_at,
            row.latest_at,
            row.latest_key,
            row.latest_ordered_at,
            row.latest_ordered_key,
            row.facts_detail,
        )
        for row in rows
    ]
    if values:
        await connection.execute(_UPDATE, *zip(*values, strict=True))


def contact_row(record: asyncpg.Record) -> ContactRow:
    """The row of a record with all columns of `contacts`."""
    return ContactRow(**dict(record.items()))


def _joined(words: Sequence[str] | None) -> str | None:
    # An array of arrays cannot be ragged in Postgres, so each row's words travel as one text.
    return " ".join(words) if words else None

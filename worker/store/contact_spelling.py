"""Finds, joins and renames contacts that a former version stored under another spelling of their address."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from worker.store.campaign_recipients import move_recipients
from worker.store.contact_rows import ContactRow
from worker.store.event_rows import EVENT_COLUMNS
from worker.store.partitions import months_later
from worker.store.people import move_people
from worker.store.pool import Connection, Executor, WriterConnection, store_errors

AccountAddress = tuple[str, str]
_DOING = "giving contacts today's spelling"

# Addresses with only one spelling: `normalise_address` returns them unchanged, or refuses them. The pattern means the
# same in Postgres and Python; other addresses, such as those with quotes or other alphabets, are checked in Python.
ONE_SPELLING = r"^[a-z0-9][a-z0-9!#$%&'*+/=?^_`{|}~.-]*@[a-z0-9][a-z0-9.-]*[a-z0-9]$"

_PAGE = """
    SELECT max(id) AS last_id, count(*) AS contacts,
           array_agg(id ORDER BY id) FILTER (WHERE odd) AS ids,
           array_agg(account ORDER BY id) FILTER (WHERE odd) AS accounts,
           array_agg(address ORDER BY id) FILTER (WHERE odd) AS addresses
      FROM (SELECT id, account, address, channel = 'email' AND address !~ $3 AS odd
              FROM contacts WHERE id > $1 ORDER BY id LIMIT $2) page
"""
_UNDER = """
    SELECT c.account, c.address, c.id
      FROM unnest($1::text[], $2::text[]) AS k (account, address)
      JOIN contacts c ON c.address = k.address AND c.account = k.account AND c.channel = 'email'
"""
_LAST_STATUSES = """
    SELECT DISTINCT ON (contact_id) contact_id, new_status, new_blocks, until
      FROM status_changes WHERE contact_id = ANY ($1::bigint[]) ORDER BY contact_id, id DESC
"""
_DELETE_COPIES = """
    DELETE FROM {table} e USING unnest($1::bigint[], $2::timestamptz[], $3::bytea[]) AS k (contact_id, at, entry_key)
     WHERE e.contact_id = k.contact_id AND e.occurred_at = k.at AND e.entry_key = k.entry_key
"""
# Looked up by a list of ids instead of a join, so that Postgres never reads the whole table.
_NEW_ID = "($2::bigint[])[array_position($1::bigint[], contact_id)]"
_MOVE = f"UPDATE {{table}} SET contact_id = {_NEW_ID} WHERE contact_id = ANY ($1::bigint[])"  # noqa: S608 - constants
_IN_MONTHS = """
    EXISTS (SELECT FROM unnest($3::timestamptz[], $4::timestamptz[]) AS m (since, until)
             WHERE occurred_at >= m.since AND occurred_at < m.until)
"""
_MOVE_EVENTS = f"{_MOVE.format(table='calm_events')} AND NOT {_IN_MONTHS}"
# A month that is about to be dropped accepts no rows.
_KEEP = f"""
    INSERT INTO kept_calm_events ({", ".join(EVENT_COLUMNS)})
    SELECT {", ".join(_NEW_ID if name == "contact_id" else name for name in EVENT_COLUMNS)} FROM calm_events
     WHERE contact_id = ANY ($1::bigint[]) AND {_IN_MONTHS}
    ON CONFLICT (contact_id, entry_key) DO NOTHING
"""  # noqa: S608 - constants


class ContactPage(Struct, frozen=True, kw_only=True):
    """Some contacts in the order of their ids."""

    last_id: int
    contacts: int
    odd: dict[int, AccountAddress]  # contacts whose address may have another spelling today, by id


async def looked_at_to(executor: Executor) -> int | None:
    """The id up to which contacts were checked; None without contacts, 0 if the database has no place to store it."""
    with store_errors(_DOING):
        tables = "SELECT to_regclass('contacts') IS NULL, to_regclass('contact_spelling') IS NULL"
        no_contacts, no_note = await executor.fetchrow(tables) or (True, True)
        if no_contacts or no_note:
            return None if no_contacts else 0
        contact_id: int | None = await executor.fetchval("SELECT looked_at_to FROM contact_spelling")
        return contact_id or 0


async def highest_contact_id(executor: Executor) -> int:
    """The id of the contact that was stored last, 0 without any."""
    with store_errors(_DOING):
        return int(await executor.fetchval("SELECT max(id) FROM contacts") or 0)


async def contact_page(executor: Executor, *, after_id: int, most: int) -> ContactPage | None:
    """Up to `most` contacts after this id; None if there are no more."""
    with store_errors(_DOING):
        row = await executor.fetchrow(_PAGE, after_id, most, ONE_SPELLING)
        if row is None or row["last_id"] is None:
            return None
        of_address = zip(row["accounts"] or (), row["addresses"] or (), strict=True)
        odd = dict(zip(row["ids"] or (), of_address, strict=True))
        return ContactPage(last_id=row["last_id"], contacts=row["contacts"], odd=odd)


async def contacts_under(executor: Executor, keys: Collection[AccountAddress]) -> dict[AccountAddress, int]:
    """The ids of those contacts that are stored under exactly these addresses."""
    with store_errors(_DOING):
        rows = await executor.fetch(_UNDER, [account for account, _ in keys], [address for _, address in keys])
        return {(row["account"], row["address"]): row["id"] for row in rows}


async def lock_spelling(connection: Connection) -> None:
    """Nobody else renames or joins contacts until this transaction ends. To be locked before any contact."""
    await connection.execute("SELECT FROM contact_spelling FOR UPDATE")


async def note_looked_at(executor: Executor, contact_id: int) -> None:
    """Stores that every contact up to this one has today's spelling."""
    with store_errors(_DOING):
        await executor.execute("UPDATE contact_spelling SET looked_at_to = $1 WHERE looked_at_to < $1", contact_id)


async def delete_copies(connection: WriterConnection, copies: Sequence[tuple[int, datetime, bytes]]) -> None:
    """Deletes these entries, each by contact id, time and key."""
    if copies:
        for table in ("entries", "calm_events", "kept_calm_events"):
            await connection.execute(_DELETE_COPIES.format(table=table), *zip(*copies, strict=True))


async def move_to(
    connection: WriterConnection, into: Mapping[int, int], *, retired_months: Collection[datetime]
) -> None:
    """Moves everything of the contacts that are keys to those that are values, and deletes the keys.

    This transaction has locked all of them, and has deleted all copies of events. Events of a month that is about to
    be dropped are kept as the retention keeps them. Raises asyncpg.CheckViolationError if another month is being
    retired at this moment.
    """
    # The session that gives status changes their positions holds this lock too, and does nothing while somebody else
    # has it: two sessions that change the same rows would wait for each other.
    await connection.execute("SELECT FROM status_feed FOR UPDATE")
    old, new = list(into.keys()), list(into.values())
    months = [*retired_months], [months_later(month, 1) for month in retired_months]
    await connection.execute(_MOVE_EVENTS, old, new, *months)
    for table in ("entries", "kept_calm_events", "status_changes"):
        await connection.execute(_MOVE.format(table=table), old, new)
    await move_people(connection, into)
    await move_recipients(connection, into)
    if retired_months:
        # Also of those that stay: an event that does not matter for one history may matter for the joined one.
        stay = list(set(new))
        await connection.execute(_KEEP, [*old, *stay], [*new, *stay], *months)
    await connection.execute("DELETE FROM contacts WHERE id = ANY ($1::bigint[])", old)


async def store_origins(connection: WriterConnection, rows: Sequence[ContactRow]) -> None:
    """Writes when the joined contacts were first seen and mailed, and their bases."""
    await connection.executemany(
        "UPDATE contacts SET first_seen_at = $2, base = $3, base_until = $4, first_mailed_at = $5 WHERE id = $1",
        [(row.id, row.first_seen_at, row.base, row.base_until, row.first_mailed_at) for row in rows],
    )


async def rename_contacts(connection: WriterConnection, rows: Sequence[ContactRow]) -> None:
    """Gives the contacts these addresses. Raises asyncpg.UniqueViolationError if somebody has just stored one.

    Works in the order in which batches insert contacts, so that nobody waits in a circle.
    """
    in_order = sorted(rows, key=lambda row: (row.address, row.account))
    await connection.executemany(
        "UPDATE contacts SET address = $2 WHERE id = $1", [(row.id, row.address) for row in in_order]
    )


async def last_statuses(
    connection: WriterConnection, contact_ids: Sequence[int]
) -> dict[int, tuple[str, str, datetime | None]]:
    """The status, the forbidden mail and the end of it, from each contact's last status change, if it has one."""
    rows = await connection.fetch(_LAST_STATUSES, list(contact_ids))
    return {contact_id: (status, blocks, until) for contact_id, status, blocks, until in rows}

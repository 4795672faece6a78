"""Finds, joins and renames contacts that a former version stored under another spelling of their address."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import Channel
from worker.store.campaign_recipients import move_recipients
from worker.store.contact_rows import ContactId, ContactKey, ContactRow, ids_by_key
from worker.store.event_rows import EVENT_COLUMNS
from worker.store.known_keys import KeyInMonth
from worker.store.named_statement import NamedStatement
from worker.store.partitions import months_later
from worker.store.people import NEW_CONTACT_ID, move_people
from worker.store.pool import Connection, Executor, WriterConnection, store_errors
from worker.store.row import Row

_DOING = "giving contacts today's spelling"

# Addresses with only one spelling: `normalise_address` returns them unchanged, or refuses them. The pattern means the
# same in Postgres and Python; other addresses, such as those with quotes or other alphabets, are checked in Python.
ONE_SPELLING = r"^[a-z0-9][a-z0-9!#$%&'*+/=?^_`{|}~.-]*@[a-z0-9][a-z0-9.-]*[a-z0-9]$"


class ContactPage(Struct, frozen=True, kw_only=True):
    """Some contacts in the order of their ids."""

    last_id: int
    contacts: int
    odd: dict[int, ContactKey]  # contacts whose address may have another spelling today, by id


class ContactOrigin(Row, frozen=True):
    """When a contact was first seen and mailed, and its base."""

    id: int
    first_seen_at: datetime
    first_mailed_at: datetime | None
    base: bytes | None
    base_until: datetime | None


class LastStatus(Row, frozen=True):
    """The standing that a contact's last status change tells."""

    contact_id: int
    new_status: str
    new_blocks: str
    until: datetime | None


_PAGE = NamedStatement("""
    SELECT max(id) AS last_id, count(*) AS contacts,
           array_agg(id ORDER BY id) FILTER (WHERE odd) AS ids,
           array_agg(account ORDER BY id) FILTER (WHERE odd) AS accounts,
           array_agg(address ORDER BY id) FILTER (WHERE odd) AS addresses
      FROM (SELECT id, account, address, channel = 'email' AND address !~ :one_spelling AS odd
              FROM contacts WHERE id > :after_id ORDER BY id LIMIT :most) page
""")
_UNDER = f"""
    SELECT {ContactId.select_list("c")}
      FROM {ContactKey.unnest("k")}
      JOIN contacts c ON c.address = k.address AND c.account = k.account AND c.channel = k.channel
"""  # noqa: S608 - the column list is made of the names above
_LAST_STATUSES = f"""
    SELECT DISTINCT ON (contact_id) {LastStatus.select_list()}
      FROM status_changes WHERE contact_id = ANY ($1::bigint[]) ORDER BY contact_id, id DESC
"""  # noqa: S608 - as above
_STORE_ORIGINS = f"""
    UPDATE contacts c SET {ContactOrigin.assignments("o", key="id")} FROM {ContactOrigin.unnest("o")} WHERE c.id = o.id
"""  # noqa: S608 - as above
_DELETE_COPIES = f"""
    DELETE FROM {{table}} e USING {KeyInMonth.unnest("k")}
     WHERE e.contact_id = k.contact_id AND e.occurred_at = k.occurred_at AND e.entry_key = k.entry_key
"""  # noqa: S608 - as above
_MOVE = f"UPDATE {{table}} SET contact_id = {NEW_CONTACT_ID} WHERE contact_id = ANY (:old::bigint[])"  # noqa: S608 - constants
_MOVES = [NamedStatement(_MOVE.format(table=table)) for table in ("entries", "kept_calm_events", "status_changes")]
_IN_MONTHS = """
    EXISTS (SELECT FROM unnest(:since::timestamptz[], :until::timestamptz[]) AS m (since, until)
             WHERE occurred_at >= m.since AND occurred_at < m.until)
"""
_MOVE_EVENTS = NamedStatement(f"{_MOVE.format(table='calm_events')} AND NOT {_IN_MONTHS}")
# A month that is about to be dropped accepts no rows.
_KEEP = NamedStatement(f"""
    INSERT INTO kept_calm_events ({", ".join(EVENT_COLUMNS)})
    SELECT {", ".join(NEW_CONTACT_ID if name == "contact_id" else name for name in EVENT_COLUMNS)} FROM calm_events
     WHERE contact_id = ANY (:old::bigint[]) AND {_IN_MONTHS}
    ON CONFLICT (contact_id, entry_key) DO NOTHING
""")  # noqa: S608 - constants


async def looked_at_to(executor: Executor) -> int | None:
    """The id up to which contacts were checked; None without contacts, 0 if the database has no place to store it."""
    with store_errors(_DOING):
        if await executor.fetchval("SELECT to_regclass('contacts') IS NULL"):
            return None
        if await executor.fetchval("SELECT to_regclass('contact_spelling') IS NULL"):
            return 0
        contact_id: int | None = await executor.fetchval("SELECT looked_at_to FROM contact_spelling")
        return contact_id or 0


async def highest_contact_id(executor: Executor) -> int:
    """The id of the contact that was stored last, 0 without any."""
    with store_errors(_DOING):
        return int(await executor.fetchval("SELECT max(id) FROM contacts") or 0)


async def contact_page(executor: Executor, *, after_id: int, most: int) -> ContactPage | None:
    """Up to `most` contacts after this id; None if there are no more."""
    with store_errors(_DOING):
        row = await executor.fetchrow(*_PAGE(after_id=after_id, most=most, one_spelling=ONE_SPELLING))
    if row is None or row["last_id"] is None:
        return None
    odd = {
        contact_id: ContactKey(address=address, account=account, channel=Channel.EMAIL.value)
        for contact_id, account, address in zip(
            row["ids"] or (), row["accounts"] or (), row["addresses"] or (), strict=True
        )
    }
    return ContactPage(last_id=row["last_id"], contacts=row["contacts"], odd=odd)


async def contacts_under(executor: Executor, keys: Collection[ContactKey]) -> dict[ContactKey, int]:
    """The ids of those contacts that are stored under exactly these addresses."""
    with store_errors(_DOING):
        return ids_by_key(ContactId.rows(await executor.fetch(_UNDER, *ContactKey.arrays(list(keys)))))


async def lock_spelling(connection: Connection) -> None:
    """Nobody else renames or joins contacts until this transaction ends. To be locked before any contact."""
    await connection.execute("SELECT FROM contact_spelling FOR UPDATE")


async def note_looked_at(executor: Executor, contact_id: int) -> None:
    """Stores that every contact up to this one has today's spelling."""
    with store_errors(_DOING):
        await executor.execute("UPDATE contact_spelling SET looked_at_to = $1 WHERE looked_at_to < $1", contact_id)


async def delete_copies(connection: WriterConnection, copies: Sequence[KeyInMonth]) -> None:
    """Deletes these entries, wherever they are stored."""
    if copies:
        for table in ("entries", "calm_events", "kept_calm_events"):
            await connection.execute(_DELETE_COPIES.format(table=table), *KeyInMonth.arrays(copies))


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
    months = {"since": [*retired_months], "until": [months_later(month, 1) for month in retired_months]}
    await connection.execute(*_MOVE_EVENTS(old=old, new=new, **months))
    for move in _MOVES:
        await connection.execute(*move(old=old, new=new))
    await move_people(connection, into)
    await move_recipients(connection, into)
    if retired_months:
        # Also of those that stay: an event that does not matter for one history may matter for the joined one.
        stay = list(set(new))
        await connection.execute(*_KEEP(old=[*old, *stay], new=[*new, *stay], **months))
    await connection.execute("DELETE FROM contacts WHERE id = ANY ($1::bigint[])", old)


async def store_origins(connection: WriterConnection, origins: Sequence[ContactOrigin]) -> None:
    """Writes when the joined contacts were first seen and mailed, and their bases."""
    await connection.execute(_STORE_ORIGINS, *ContactOrigin.arrays(origins))


async def rename_contacts(connection: WriterConnection, rows: Sequence[ContactRow]) -> None:
    """Gives the contacts these addresses. Raises asyncpg.UniqueViolationError if somebody has just stored one.

    Works in the order in which batches insert contacts, so that nobody waits in a circle.
    """
    in_order = sorted(rows, key=lambda row: (row.address, row.account))
    await connection.executemany(
        "UPDATE contacts SET address = $2 WHERE id = $1", [(row.id, row.address) for row in in_order]
    )


async def last_statuses(connection: WriterConnection, contact_ids: Sequence[int]) -> dict[int, LastStatus]:
    """The standing that each contact's last status change tells, by the contact's id; nothing of those without one."""
    rows = LastStatus.rows(await connection.fetch(_LAST_STATUSES, list(contact_ids)))
    return {row.contact_id: row for row in rows}

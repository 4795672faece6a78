"""Tags of contacts, and people with their addresses, as callers send them with the contacts that they add.

Callers that write have locked the contact's row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from worker.store.contact_rows import ContactRow
from worker.store.pool import Connection, Executor, WriterConnection, store_errors
from worker.store.row import Row


class ContactTag(Row, frozen=True):
    """One tag of a contact."""

    contact_id: int
    tag: str
    added_at: datetime
    act_id: int


class PersonAddress(Row, frozen=True):
    """A contact as an address of a person."""

    account: str
    person: str
    contact_id: int
    field: str  # "" if unknown
    added_at: datetime
    act_id: int


class PersonContact(ContactRow, frozen=True):
    """A whole contact, as an address of a person."""

    person: str
    field: str


_INSERT_TAGS = f"""
    INSERT INTO contact_tags ({ContactTag.select_list()})
    SELECT {ContactTag.select_list()} FROM {ContactTag.unnest("t")} ORDER BY contact_id, tag
    ON CONFLICT (contact_id, tag) DO NOTHING
"""  # noqa: S608 - the column list is made of the names above

_INSERT_ADDRESSES = f"""
    INSERT INTO people ({PersonAddress.select_list()})
    SELECT {PersonAddress.select_list()} FROM {PersonAddress.unnest("p")} ORDER BY account, person, contact_id, field
    ON CONFLICT (account, person, contact_id, field) DO NOTHING
"""  # noqa: S608 - as above

_OF_PERSON = f"""
    SELECT {ContactRow.select_list("c")}, p.person, p.field
      FROM people p JOIN contacts c ON c.id = p.contact_id
     WHERE p.account = $1 AND p.person = $2
     ORDER BY p.field, c.address, c.channel LIMIT $3
"""  # noqa: S608 - as above

_SIBLINGS = f"""
    SELECT {ContactRow.select_list("c")}, other.person, other.field
      FROM people own JOIN people other ON other.account = own.account AND other.person = own.person
      JOIN contacts c ON c.id = other.contact_id
     WHERE own.contact_id = $1 AND other.contact_id <> $1
     GROUP BY c.id, other.person, other.field
     ORDER BY other.person, other.field, c.address, c.channel LIMIT $2
"""  # noqa: S608 - as above

_MOVE = (
    """
    INSERT INTO contact_tags (contact_id, tag, added_at, act_id)
    SELECT ($2::bigint[])[array_position($1::bigint[], contact_id)], tag, added_at, act_id
      FROM contact_tags WHERE contact_id = ANY ($1::bigint[])
    ON CONFLICT (contact_id, tag) DO NOTHING
    """,
    """
    INSERT INTO people (account, person, contact_id, field, added_at, act_id)
    SELECT account, person, ($2::bigint[])[array_position($1::bigint[], contact_id)], field, added_at, act_id
      FROM people WHERE contact_id = ANY ($1::bigint[])
    ON CONFLICT (account, person, contact_id, field) DO NOTHING
    """,
)


async def insert_tags(connection: WriterConnection, tags: Sequence[ContactTag]) -> None:
    """Stores the new ones; their act is stored already."""
    if tags:
        await connection.execute(_INSERT_TAGS, *ContactTag.arrays(tags))


async def insert_addresses(connection: WriterConnection, addresses: Sequence[PersonAddress]) -> None:
    """Stores the new ones; their act is stored already."""
    if addresses:
        await connection.execute(_INSERT_ADDRESSES, *PersonAddress.arrays(addresses))


async def delete_tags(connection: WriterConnection, contact_id: int, tags: Sequence[str]) -> list[str]:
    """Deletes these tags of the contact; returns the deleted ones."""
    records = await connection.fetch(
        "DELETE FROM contact_tags WHERE contact_id = $1 AND tag = ANY ($2::text[]) RETURNING tag",
        contact_id,
        list(tags),
    )
    return sorted(record["tag"] for record in records)


async def delete_addresses(
    connection: WriterConnection, contact_id: int, people: Sequence[tuple[str, str | None]]
) -> list[tuple[str, str]]:
    """Deletes the contact from these people; a field of None means every field. Returns the deleted (person, field)."""
    records = await connection.fetch(
        """
        DELETE FROM people p USING unnest($2::text[], $3::text[]) AS leaving (person, field)
         WHERE p.contact_id = $1 AND p.person = leaving.person AND (leaving.field IS NULL OR p.field = leaving.field)
        RETURNING p.person, p.field
        """,
        contact_id,
        [person for person, _ in people],
        [field for _, field in people],
    )
    return sorted((record["person"], record["field"]) for record in records)


async def tags_of(executor: Executor, contact_id: int, *, limit: int) -> list[str]:
    """The contact's tags in their order. Raises StoreUnavailable."""
    with store_errors("reading tags"):
        records = await executor.fetch(
            "SELECT tag FROM contact_tags WHERE contact_id = $1 ORDER BY tag LIMIT $2", contact_id, limit
        )
    return [tag for (tag,) in records]


async def people_of(executor: Executor, contact_id: int, *, limit: int) -> list[tuple[str, str]]:
    """The people to whom the contact belongs, each with the field. Raises StoreUnavailable."""
    with store_errors("reading people"):
        records = await executor.fetch(
            "SELECT person, field FROM people WHERE contact_id = $1 ORDER BY person, field LIMIT $2", contact_id, limit
        )
    return [(person, field) for person, field in records]


async def siblings_of(executor: Executor, contact_id: int, *, limit: int) -> list[PersonContact]:
    """The other addresses of the people to whom the contact belongs. Raises StoreUnavailable."""
    with store_errors("reading people"):
        return PersonContact.rows(await executor.fetch(_SIBLINGS, contact_id, limit))


async def addresses_of(executor: Executor, account: str, person: str, *, limit: int) -> list[PersonContact]:
    """The addresses of a person; [] if there is no such person. Raises StoreUnavailable."""
    with store_errors("reading people"):
        return PersonContact.rows(await executor.fetch(_OF_PERSON, account, person, limit))


async def move_people(connection: Connection, into: Mapping[int, int]) -> None:
    """Moves tags and people from contacts that are keys to those that are values; the keys are about to be deleted."""
    old = list(into.keys())
    for statement in _MOVE:
        await connection.execute(statement, old, list(into.values()))
    for table in ("contact_tags", "people"):
        await connection.execute(f"DELETE FROM {table} WHERE contact_id = ANY ($1::bigint[])", old)  # noqa: S608 - constants

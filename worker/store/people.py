"""Tags of contacts, and people with their addresses, as callers send them with the contacts that they add.

Callers that write have locked the contact's row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from worker.store.contact_rows import ContactRow
from worker.store.named_statement import NamedStatement
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


class PersonField(Row, frozen=True):
    """A person, and what the caller calls one of its addresses."""

    person: str
    field: str  # "" if unknown


class LeavingField(Row, frozen=True):
    """A person and a field that a contact leaves."""

    person: str
    field: str | None  # None: every field


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

_OF_PERSON = NamedStatement(f"""
    SELECT {ContactRow.select_list("c")}, p.person, p.field
      FROM people p JOIN contacts c ON c.id = p.contact_id
     WHERE p.account = :account AND p.person = :person
     ORDER BY p.field, c.address, c.channel LIMIT :limit
""")  # noqa: S608 - as above

_SIBLINGS = NamedStatement(f"""
    SELECT {ContactRow.select_list("c")}, other.person, other.field
      FROM people own JOIN people other ON other.account = own.account AND other.person = own.person
      JOIN contacts c ON c.id = other.contact_id
     WHERE own.contact_id = :contact_id AND other.contact_id <> :contact_id
     GROUP BY c.id, other.person, other.field
     ORDER BY other.person, other.field, c.address, c.channel LIMIT :limit
""")  # noqa: S608 - as above

_TAGS_OF = NamedStatement("SELECT tag FROM contact_tags WHERE contact_id = :contact_id ORDER BY tag LIMIT :limit")
_PEOPLE_OF = NamedStatement(f"""
    SELECT {PersonField.select_list()} FROM people WHERE contact_id = :contact_id ORDER BY person, field LIMIT :limit
""")  # noqa: S608 - as above

_DELETE_ADDRESSES = f"""
    DELETE FROM people p USING {LeavingField.unnest("leaving", first_parameter=2)}
     WHERE p.contact_id = $1 AND p.person = leaving.person AND (leaving.field IS NULL OR p.field = leaving.field)
    RETURNING {PersonField.select_list("p")}
"""  # noqa: S608 - as above


# The contact to which a row moves. Looked up in a list of ids instead of a join, so that Postgres never reads the whole
# table.
NEW_CONTACT_ID = "(:new::bigint[])[array_position(:old::bigint[], contact_id)]"


def _move_statement(row_type: type[Row], table: str, unique: str) -> NamedStatement:
    return NamedStatement(f"""
        INSERT INTO {table} ({row_type.select_list()})
        SELECT {", ".join(NEW_CONTACT_ID if column == "contact_id" else column for column in row_type.columns())}
          FROM {table} WHERE contact_id = ANY (:old::bigint[])
        ON CONFLICT ({unique}) DO NOTHING
    """)  # noqa: S608 - constants


_MOVES = (
    _move_statement(ContactTag, "contact_tags", "contact_id, tag"),
    _move_statement(PersonAddress, "people", "account, person, contact_id, field"),
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
    connection: WriterConnection, contact_id: int, leaving: Sequence[LeavingField]
) -> list[PersonField]:
    """Deletes the contact from these people; returns what is deleted, by person and field."""
    rows = PersonField.rows(await connection.fetch(_DELETE_ADDRESSES, contact_id, *LeavingField.arrays(leaving)))
    return sorted(rows, key=lambda row: (row.person, row.field))


async def tags_of(executor: Executor, contact_id: int, *, limit: int) -> list[str]:
    """The contact's tags in their order. Raises StoreUnavailable."""
    with store_errors("reading tags"):
        records = await executor.fetch(*_TAGS_OF(contact_id=contact_id, limit=limit))
    return [tag for (tag,) in records]


async def people_of(executor: Executor, contact_id: int, *, limit: int) -> list[PersonField]:
    """The people to whom the contact belongs, each with the field. Raises StoreUnavailable."""
    with store_errors("reading people"):
        return PersonField.rows(await executor.fetch(*_PEOPLE_OF(contact_id=contact_id, limit=limit)))


async def siblings_of(executor: Executor, contact_id: int, *, limit: int) -> list[PersonContact]:
    """The other addresses of the people to whom the contact belongs. Raises StoreUnavailable."""
    with store_errors("reading people"):
        return PersonContact.rows(await executor.fetch(*_SIBLINGS(contact_id=contact_id, limit=limit)))


async def addresses_of(executor: Executor, *, account: str, person: str, limit: int) -> list[PersonContact]:
    """The addresses of a person; [] if there is no such person. Raises StoreUnavailable."""
    with store_errors("reading people"):
        return PersonContact.rows(await executor.fetch(*_OF_PERSON(account=account, person=person, limit=limit)))


async def move_people(connection: Connection, into: Mapping[int, int]) -> None:
    """Moves tags and people from contacts that are keys to those that are values; the keys are about to be deleted."""
    old = list(into.keys())
    for move in _MOVES:
        await connection.execute(*move(old=old, new=list(into.values())))
    for table in ("contact_tags", "people"):
        await connection.execute(f"DELETE FROM {table} WHERE contact_id = ANY ($1::bigint[])", old)  # noqa: S608 - constants

"""Contacts that come in as rows of a file."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from schemas.addition import Addition
from schemas.decision import Permission
from worker.commands.support.recipient_table import RecipientTable

_BETWEEN_TAGS = ";"
_PERMISSIONS = {permission.value for permission in Permission}


class FaultyRow(Struct, frozen=True, kw_only=True):
    """A row that says something which cannot be."""

    address: str
    fault: str  # as a sentence


def additions_of(table: RecipientTable, *, person: str | None, field: str | None) -> Iterator[Addition | FaultyRow]:
    """Each row of the table. The columns person, field, tags and permission are read where the table has them.

    `person` and `field` are those of rows that name none. Raises ImpossibleSetting where the file is no CSV.
    """
    places = {name: place for place, name in reversed(list(enumerate(table.columns)))}
    for address, row in table:
        permission = _cell(row, places.get("permission"))
        if permission and permission not in _PERMISSIONS:
            fault = f"Its permission is {permission[:40]!r}, which is none of {', '.join(Permission)}."
            yield FaultyRow(address=address, fault=fault)
            continue
        own = _cell(row, places.get("person")) or person
        yield Addition(
            address=address,
            permission=Permission(permission) if permission else None,
            tags=tuple(tag.strip() for tag in _cell(row, places.get("tags")).split(_BETWEEN_TAGS) if tag.strip()),
            person=own,
            field=None if own is None else _cell(row, places.get("field")) or field,
        )


def _cell(row: Sequence[str], place: int | None) -> str:
    return row[place].strip() if place is not None and place < len(row) else ""

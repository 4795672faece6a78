"""Rows as records whose fields are the columns: code uses names, and rows are made by position.

If it is made by name, a row of twenty columns takes twenty times as long (CPython builds a dict for a call with more
than fifteen names), and a batch has thousands of rows. So the type checker sees records that are made by name only, and
a swap of two columns is an error or impossible:

- code names each field when it makes a row,
- `rows` makes them by position, from a statement that selects `select_list`, which is made of the same fields,
- `unnest` and `arrays` hand many rows to a statement, one array for each column, made of the same fields too. Arrays of
  texts are sent as JSON: asyncpg checks whether each element of an array is an array itself, which costs more than
  writing and reading JSON.

tests/store/test_row.py compares the fields of each record with the columns of its table, names and types.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, Self, dataclass_transform, get_args, get_type_hints
from uuid import UUID

import asyncpg
from msgspec import Struct

_SQL_TYPES: dict[Any, str] = {
    bool: "boolean",
    bytes: "bytea",
    datetime: "timestamptz",
    dict[str, Any]: "jsonb",
    dict[str, str]: "jsonb",
    int: "bigint",
    str: "text",
    UUID: "uuid",
}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Row(Struct, frozen=True, gc=False):
    """The base of the rows of every table."""

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """The names of the columns, in the order of the fields."""
        return cls.__struct_fields__

    @classmethod
    def select_list(cls, table: str = "") -> str:
        """The columns between SELECT and FROM; `table` is the table's alias if a name alone is ambiguous."""
        prefix = f"{table}." if table else ""
        return ", ".join(f"{prefix}{column}" for column in cls.columns())

    @classmethod
    def rows(cls, records: Iterable[asyncpg.Record]) -> list[Self]:
        """The rows of a statement that selects `select_list` and nothing else."""
        make: Callable[..., Self] = cls
        # The whole of a record as a slice is a tuple made at once; the record itself would be unpacked one by one.
        return [make(*record[:]) for record in records]

    @classmethod
    def unnest(cls, alias: str, *, first_parameter: int = 1, with_place: bool = False) -> str:
        """`ROWS FROM (unnest(...), ...) AS alias (...)`, for FROM: many rows as parameters, given by `arrays`.

        Its parameters are numbered from `first_parameter`. `with_place` adds the column `place`, which counts from 1.
        """
        parameters = ", ".join(
            _elements(number, _sql_type(cls, column))
            for number, column in enumerate(cls.columns(), start=first_parameter)
        )
        place = (" WITH ORDINALITY", ", place") if with_place else ("", "")
        return f"ROWS FROM ({parameters}){place[0]} AS {alias} ({cls.select_list()}{place[1]})"

    @classmethod
    def assignments(cls, source: str, *, key: str = "") -> str:
        """`column = source.column` for all columns but the key, for SET."""
        return ", ".join(f"{column} = {source}.{column}" for column in cls.columns() if column != key)

    @classmethod
    def arrays(cls, rows: Sequence[Self]) -> list[list[Any]]:
        """One list for each column, for the parameters of `unnest`."""
        return [list(map(operator.attrgetter(column), rows)) for column in cls.columns()]


def _elements(number: int, sql_type: str) -> str:
    return f"jsonb_array_elements_text(${number}::jsonb)" if sql_type == "text" else f"unnest(${number}::{sql_type}[])"


def _sql_type(row_type: type[Row], column: str) -> str:
    hint = get_type_hints(row_type)[column]
    if NoneType in get_args(hint):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    return _SQL_TYPES[hint]

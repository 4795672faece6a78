"""A part of a contact's log, from one place to another."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
from msgspec import Struct

Place = tuple[datetime, int, bytes]  # (occurred_at, rank, entry key)

BEGINNING: Place = (datetime.min.replace(tzinfo=UTC), -1, b"")
END: Place = (datetime.max.replace(tzinfo=UTC), 0, b"")
PLACE_COLUMNS = "occurred_at, rank, entry_key"


class Span(Struct, frozen=True, kw_only=True):
    """The log between two places, both excluded."""

    after: Place = BEGINNING
    before: Place = END


def from_time(time: datetime | None) -> Place:
    """The place before everything that occurred at this time or later."""
    return BEGINNING if time is None else (time, -1, b"")


def place_of(record: asyncpg.Record) -> Place:
    """The place of a row with PLACE_COLUMNS."""
    return record["occurred_at"], record["rank"], record["entry_key"]


def place_in_sql(name: str) -> str:
    """A place in the text of a NamedStatement, to be compared with PLACE_COLUMNS; `parameters_of_place` gives it."""
    return f"(:{name}_at::timestamptz, :{name}_rank::smallint, :{name}_key::bytea)"


def parameters_of_place(name: str, place: Place) -> dict[str, Any]:
    """The parameters for `place_in_sql`."""
    occurred_at, rank, entry_key = place
    return {f"{name}_at": occurred_at, f"{name}_rank": rank, f"{name}_key": entry_key}


# The entries of a contact between two places, in the text of a NamedStatement; `parameters_of_span` gives them. The
# first comparison of each pair is for the indexes, the second is exact.
WITHIN_SPAN = f"""
    contact_id = :contact_id
    AND occurred_at >= :after_at::timestamptz AND ({PLACE_COLUMNS}) > {place_in_sql("after")}
    AND occurred_at <= :before_at::timestamptz AND ({PLACE_COLUMNS}) < {place_in_sql("before")}
"""


def parameters_of_span(contact_id: int, span: Span) -> dict[str, Any]:
    """The parameters for WITHIN_SPAN."""
    return {
        "contact_id": contact_id,
        **parameters_of_place("after", span.after),
        **parameters_of_place("before", span.before),
    }

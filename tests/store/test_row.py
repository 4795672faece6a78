"""Rows are made by name in the code, and by position only where the names were written into the statement."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from types import NoneType
from typing import Any, get_args, get_type_hints
from uuid import UUID

import pytest

from worker.store.accounts import Account
from worker.store.acts import StoredAct
from worker.store.checkpoints import StoredCheckpoint
from worker.store.contact_lookup import KnownStanding
from worker.store.contact_rows import (
    ContactFacts,
    ContactId,
    ContactKey,
    ContactRow,
    ContactStanding,
    FormerBase,
    LockedContact,
    SignOfLife,
)
from worker.store.contact_spelling import ContactOrigin, LastStatus
from worker.store.daily_summaries import StoredSummary, SummaryMail
from worker.store.event_rows import EVENT_COLUMNS
from worker.store.jobs import JobRow, NewPart, PartRow
from worker.store.known_keys import KeyInMonth, KeyOfContact, RegisteredKey
from worker.store.people import ContactTag, PersonAddress, PersonField
from worker.store.policies import PolicyRow
from worker.store.pool import Pool
from worker.store.refolds import RefoldRow
from worker.store.row import Row
from worker.store.safelist_requests import StoredRequest
from worker.store.status_history import StatusChange
from worker.store.tokens import Token, ValidToken

POSTGRES_TYPES: dict[Any, set[str]] = {
    bool: {"boolean"},
    bytes: {"bytea"},
    date: {"date"},
    datetime: {"timestamp with time zone"},
    Mapping[str, Any]: {"jsonb"},
    dict[str, Any]: {"jsonb"},
    dict[str, int]: {"jsonb"},
    int: {"bigint", "integer", "smallint"},
    str: {"text"},
    Sequence[str]: {"ARRAY"},
    UUID: {"uuid"},
}
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
IN_NO_TABLE = {"place", "never_mailed"}


class Line(Row, frozen=True):
    """A row of a statement of these tests."""

    number: int
    at: datetime
    text: str | None


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (ContactKey, "contacts"),
        (ContactFacts, "contacts"),
        (ContactStanding, "contacts"),
        (LockedContact, "contacts"),
        (ContactRow, "contacts"),
        (ContactTag, "contact_tags"),
        (PersonAddress, "people"),
        (SignOfLife, "contacts"),
        (FormerBase, "contacts"),
        (RefoldRow, "refolds"),
        (KnownStanding, "contacts"),
        (StatusChange, "status_changes"),
        (StoredRequest, "safelist_requests"),
        (StoredSummary, "daily_summaries"),
        (SummaryMail, "summary_mails"),
        (KeyInMonth, "calm_events"),
        (KeyOfContact, "entries"),
        (KeyOfContact, "kept_calm_events"),
        (RegisteredKey, "arrival_dated_events"),
        (StoredAct, "acts"),
        (Account, "accounts"),
        (StoredCheckpoint, "checkpoints"),
        (ContactId, "contacts"),
        (ContactOrigin, "contacts"),
        (LastStatus, "status_changes"),
        (JobRow, "jobs"),
        (PartRow, "job_parts"),
        (NewPart, "job_parts"),
        (PersonField, "people"),
        (PolicyRow, "policies"),
        (Token, "tokens"),
        (ValidToken, "tokens"),
    ],
)
async def test_each_field_is_a_column_of_its_table_with_the_same_type(pool: Pool, row: type[Row], table: str) -> None:
    records = await pool.fetch(
        "SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = $1", table
    )
    columns = {record["column_name"]: record for record in records}
    hints = get_type_hints(row)
    for name in set(row.columns()) - IN_NO_TABLE:
        parts = set(get_args(hints[name])) - {NoneType} if NoneType in get_args(hints[name]) else {hints[name]}
        (kind,) = parts
        assert columns[name]["data_type"] in POSTGRES_TYPES[kind], name
        if columns[name]["is_nullable"] == "YES":
            assert NoneType in get_args(hints[name]), f"{name} may be NULL"


async def test_a_whole_contact_has_every_column(pool: Pool) -> None:
    records = await pool.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = 'contacts'")
    assert set(ContactRow.columns()) == {record["column_name"] for record in records}


@pytest.mark.parametrize("table", ["entries", "calm_events", "kept_calm_events", "nameless_events"])
async def test_an_event_is_written_with_every_column(pool: Pool, table: str) -> None:
    records = await pool.fetch("SELECT column_name FROM information_schema.columns WHERE table_name = $1", table)
    of_decisions = {"act_id", "detail"} if table == "entries" else set()
    assert set(EVENT_COLUMNS) | of_decisions == {record["column_name"] for record in records}


async def test_what_goes_in_as_arrays_comes_out_as_rows(pool: Pool) -> None:
    lines = [Line(number=1, at=NOON, text="one"), Line(number=2, at=NOON, text=None)]
    statement = f"SELECT {Line.select_list('n')} FROM {Line.unnest('n', first_parameter=2)} WHERE number > $1"  # noqa: S608 - names
    assert Line.rows(await pool.fetch(statement, 0, *Line.arrays(lines))) == lines
    assert Line.rows(await pool.fetch(statement, 1, *Line.arrays(lines))) == lines[1:]


async def test_a_statement_with_another_number_of_columns_makes_no_row(pool: Pool) -> None:
    for columns in ("1, now()", "1, now(), '', ''"):
        with pytest.raises(TypeError):
            Line.rows(await pool.fetch(f"SELECT {columns}"))


def test_only_the_type_checker_stands_between_a_row_and_a_swap_by_position() -> None:
    """Mypy reports an ignored error that is none: should it let this call pass one day, its run fails here."""
    swapped = ContactKey("default", "jane@example.org", "email")  # type: ignore[call-arg]
    named = ContactKey(address="jane@example.org", account="default", channel="email")
    assert swapped != named

"""Which tables could be distributed over several servers: each unique key holds the column that they are divided by.

docs/growing.md says the same, with what must change.
"""

import pytest

from tests.docs.pages import REPOSITORY
from worker.store.pool import Pool

BY_COLUMN = {
    "arrival_dated_events": "event_key",
    "calm_events": "contact_id",
    "campaign_recipients": "contact_id",
    "checkpoints": "contact_id",
    "contact_tags": "contact_id",
    "contacts": "id",
    "entries": "contact_id",
    "kept_calm_events": "contact_id",
    "nameless_events": "entry_key",
    "people": "contact_id",
    "refolds": "contact_id",
    "status_changes": "contact_id",
}
MUST_CHANGE = {"contacts_address", "status_changes_pkey", "status_changes_position"}
PAGE = (REPOSITORY / "docs" / "growing.md").read_text(encoding="utf-8")

UNIQUE_KEYS = """
    SELECT i.relname FROM pg_index x
      JOIN pg_class i ON i.oid = x.indexrelid
     WHERE x.indrelid = to_regclass($1) AND x.indisunique
       AND NOT EXISTS (
           SELECT FROM pg_attribute a
            WHERE a.attrelid = x.indrelid AND a.attname = $2 AND a.attnum = ANY (x.indkey::smallint[])
       )
"""
ABOUT_CONTACTS = """
    SELECT c.relname FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'contact_id'
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace
"""


async def test_unique_keys_hold_the_column_by_which_a_table_would_be_divided(pool: Pool) -> None:
    without = {name for table, column in BY_COLUMN.items() for (name,) in await pool.fetch(UNIQUE_KEYS, table, column)}
    assert without == MUST_CHANGE


async def test_every_table_about_contacts_is_one_that_can_be_divided(pool: Pool) -> None:
    assert {name for (name,) in await pool.fetch(ABOUT_CONTACTS)} <= BY_COLUMN.keys()


@pytest.mark.parametrize("name", sorted({*BY_COLUMN, *MUST_CHANGE}))
def test_the_page_names_them(name: str) -> None:
    assert f"`{name}`" in PAGE

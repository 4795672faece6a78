"""Accounts as rows: added once, changed, never taken away; those of earlier versions are taken over."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.store.conftest import NOON
from worker.store.accounts import (
    account_names,
    add_accounts,
    change_account,
    existing_accounts,
    list_accounts,
    read_account,
    time_zones,
)
from worker.store.migrations import migrate
from worker.store.pool import Pool
from worker.store.status_feed import number_changes


async def test_an_account_is_added_once_and_keeps_its_first_date(pool: Pool) -> None:
    assert await add_accounts(pool, ["shop", "Zoo"], since=NOON, added_by="jane") == ["Zoo", "shop"]
    assert await add_accounts(pool, ["shop", "default"], since=NOON + timedelta(days=1), added_by="joe") == ["default"]
    assert [(one.name, one.since, one.added_by) for one in await list_accounts(pool)] == [
        ("Zoo", NOON, "jane"),
        ("default", NOON + timedelta(days=1), "joe"),
        ("shop", NOON, "jane"),
    ]
    assert await existing_accounts(pool, ["shop", "shopp", "with\x00nul"]) == {"shop"}
    assert await account_names(pool, limit=2) == ["Zoo", "default"]


async def test_what_is_not_named_in_a_change_stays_as_it_is(pool: Pool) -> None:
    await add_accounts(pool, ["shop"], since=NOON, added_by="jane")
    await change_account(pool, "shop", time_zone="Europe/Berlin")
    changed = await change_account(pool, "shop", summary_recipients=["jane@example.org"])
    assert changed == await read_account(pool, "shop")
    assert changed is not None
    assert (changed.time_zone, list(changed.summary_recipients)) == ("Europe/Berlin", ["jane@example.org"])
    assert await change_account(pool, "nosuch", time_zone="UTC") is None
    assert {"UTC", "Europe/Berlin"} <= set(await time_zones(pool))


async def test_the_accounts_of_contacts_are_taken_over_with_the_date_of_their_first_one(postgres_dsn: str) -> None:
    """And the feed of each: a change that has its place has its account too."""
    await migrate(postgres_dsn)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        await connection.execute(
            """
            DROP TABLE tokens, accounts;
            ALTER TABLE status_changes DROP COLUMN account;
            ALTER TABLE dead_letters DROP COLUMN account_from;
            DELETE FROM _yoyo_migration WHERE migration_id = '0012_accounts_and_tokens';
            """
        )
        for account, days in (("shop", 3), ("shop", 1), ("default", 2)):
            contact_id = await connection.fetchval(
                "INSERT INTO contacts (account, channel, address, first_seen_at)"
                " VALUES ($1, 'email', $2, $3) RETURNING id",
                account,
                f"{days}@example.org",
                NOON + timedelta(days=days),
            )
            await connection.execute(
                "INSERT INTO status_changes (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks,"
                " cause, actor, position) VALUES ($1, $2, 'new', 'complained', 'none', 'all', 'none', 'events', $3)",
                contact_id,
                NOON,
                days,
            )
        assert await migrate(postgres_dsn) == ["0012_accounts_and_tokens"]
        rows = await connection.fetch("SELECT name, since FROM accounts ORDER BY name")
        assert [tuple(row) for row in rows] == [
            ("default", NOON + timedelta(days=2)),
            ("shop", NOON + timedelta(days=1)),
        ]
        rows = await connection.fetch("SELECT account FROM status_changes ORDER BY position")
        assert [row["account"] for row in rows] == ["shop", "default", "shop"]
    finally:
        await connection.close()


async def test_a_change_gets_its_account_with_its_place_in_the_feed(pool: Pool, contact_id: int) -> None:
    await pool.execute(
        "INSERT INTO status_changes (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause,"
        " actor) VALUES ($1, $2, 'new', 'complained', 'none', 'all', 'none', 'events')",
        contact_id,
        NOON,
    )
    assert await pool.fetchval("SELECT account FROM status_changes") is None
    assert await number_changes(pool) == 1
    assert await pool.fetchval("SELECT account FROM status_changes") == "default"


@pytest.mark.parametrize("role", ["owner", "", "READER"])
async def test_a_token_has_one_of_three_roles(pool: Pool, role: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(
            "INSERT INTO tokens (hash, prefix, name, role, created_at, created_by)"
            " VALUES (sha256('x'), 'bk_', 'crm', $1, $2, 'jane')",
            role,
            datetime.now(UTC),
        )

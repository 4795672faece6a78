"""What stands in the way of a migration is told by whether waiting mends it."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import psycopg
import pytest
import yoyo

from worker.errors import ImpossibleSetting, SchemaOutOfDate, StoreUnavailable
from worker.local_services.postgres import EmbeddedPostgres
from worker.store.migrations import migrate, require_current_schema
from worker.store.readiness import schema_is_whole


async def test_a_database_that_does_not_exist_needs_a_person_and_no_waiting(postgres_dsn: str) -> None:
    with pytest.raises(ImpossibleSetting, match=r"database name in postgres.url"):
        await require_current_schema(postgres_dsn.rsplit("/", 1)[0] + "/nobody_made_this")


async def test_a_closed_port_means_later_and_names_the_remedy() -> None:
    with pytest.raises(StoreUnavailable, match=r"see whether Postgres runs and postgres.url leads to it"):
        await require_current_schema("postgresql://nobody@127.0.0.1:1/nothing")


async def test_looking_whether_something_is_to_be_migrated_changes_nothing(postgres_dsn: str) -> None:
    """A table of ours, made in the middle of somebody's restore, would end it."""
    assert (await migrate(postgres_dsn, dry_run=True))[0] == "0001_contacts_and_events"
    with pytest.raises(SchemaOutOfDate, match="0001"):
        await require_current_schema(postgres_dsn)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        count = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert await connection.fetchval(count) == 0
    finally:
        await connection.close()


async def test_nothing_is_migrated_while_a_backup_is_being_restored(postgres_dsn: str, database_dsn: str) -> None:
    for dsn in (postgres_dsn, database_dsn):
        restore = await asyncpg.connect(dsn, server_settings={"application_name": "pg_restore"})
        try:
            with pytest.raises(StoreUnavailable, match="wait until it has ended"):
                await migrate(dsn)
            assert not await schema_is_whole(dsn)
        finally:
            await restore.close()
    assert await migrate(postgres_dsn) != []
    assert await schema_is_whole(postgres_dsn)


async def test_a_schema_whose_rows_may_not_all_be_there_yet_is_not_whole(database_dsn: str) -> None:
    """pg_restore makes tables first, then rows, then indexes; its name may be hidden from us."""
    assert await schema_is_whole(database_dsn)
    connection = await asyncpg.connect(database_dsn)
    try:
        await connection.execute("DROP INDEX contacts_address")
    finally:
        await connection.close()
    assert not await schema_is_whole(database_dsn)
    assert not await schema_is_whole(database_dsn.replace("/test_", "/absent_"))


async def test_a_migration_that_ends_before_it_is_noted_has_changed_nothing(postgres_dsn: str) -> None:
    """As when the process is killed at that moment: the next one begins with the same file again."""
    await asyncio.to_thread(make_notebook, postgres_dsn)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        await connection.execute("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON _yoyo_migration
                FOR EACH ROW WHEN (NEW.migration_id = '0005_feed_positions') EXECUTE FUNCTION refuse();
        """)
        with pytest.raises(psycopg.errors.RaiseException, match="killed"):
            await migrate(postgres_dsn)
        await connection.execute("DROP TRIGGER refuse ON _yoyo_migration")
    finally:
        await connection.close()
    assert "0005_feed_positions" in await migrate(postgres_dsn)
    assert await migrate(postgres_dsn, dry_run=True) == []


async def test_the_lock_that_a_killed_migration_has_left_holds_nobody_up(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        # Killed at this moment it has made nothing else: the library makes this table first, and locks to look.
        await connection.execute(
            "CREATE TABLE yoyo_lock (locked int DEFAULT 1, ctime timestamp, pid int NOT NULL, PRIMARY KEY (locked))"
        )
        await connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4711)")
    finally:
        await connection.close()
    async with asyncio.timeout(8):  # the library itself waits for ten seconds, in vain
        assert await migrate(postgres_dsn)


def make_notebook(dsn: str) -> None:
    """The table in which migrations are noted, as the first of them makes it."""
    backend = yoyo.get_backend(dsn.replace("postgresql://", "postgresql+psycopg://"))
    try:
        backend.ensure_internal_schema_updated()
    finally:
        backend.connection.close()


@pytest.mark.slow
async def test_a_migration_leaves_no_error_in_the_log_of_postgres() -> None:
    with TemporaryDirectory(prefix="bouncekeeper-own-postgres-", ignore_cleanup_errors=True) as folder:
        async with await EmbeddedPostgres.start(Path(folder)) as postgres:
            assert await migrate(postgres.dsn)
            connection = await asyncpg.connect(postgres.dsn)
            try:  # as before an upgrade
                await connection.execute(
                    "DROP INDEX entries_with_raw, calm_events_with_raw, kept_calm_events_with_raw,"
                    " nameless_events_with_raw;"
                    "DELETE FROM _yoyo_migration WHERE migration_id = '0021_old_raw'"
                )
            finally:
                await connection.close()
            assert await migrate(postgres.dsn) == ["0021_old_raw"]
            log = (Path(folder) / "postgres.log").read_text()
    assert "ERROR" not in log

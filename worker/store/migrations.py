"""The database's versions: plain SQL files in schemas/database, applied once each, in order, by yoyo."""

import asyncio
from importlib.resources import as_file, files
from urllib.parse import urlsplit, urlunsplit

import psycopg
import yoyo
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.migrations import MigrationList

from worker.errors import SchemaOutOfDate, StoreUnavailable
from worker.store.readiness import missing_migrations, require_converted_log

# Any constant will do, as long as every Bouncekeeper uses the same: two migrations never run side by side.
_ADVISORY_LOCK = 0x626F756E6365


async def migrate(dsn: str, *, dry_run: bool = False) -> list[str]:
    """The database is at this program's version when this returns; gives the names of what was applied.

    With dry_run nothing is changed and the names are what would be. Raises StoreUnavailable, also while somebody
    restores the database, and ImpossibleSetting for a wrong URL.
    """
    # The migrating library makes tables of its own even to look, and tells a wrong password or database no other
    # than a server that is away.
    missing = await missing_migrations(dsn)
    if dry_run or not missing:
        return missing
    return await asyncio.to_thread(_migrate, dsn)


async def require_current_schema(dsn: str) -> None:
    """Raises SchemaOutOfDate when `bouncekeeper migrate` has something to do."""
    if missing := await migrate(dsn, dry_run=True):
        raise SchemaOutOfDate(
            f"the database lacks {', '.join(missing)}: run `bouncekeeper migrate`, then start this again"
        )
    await require_converted_log(dsn)


def _migrate(dsn: str) -> list[str]:
    try:
        with psycopg.connect(dsn, autocommit=True) as guard:
            guard.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
            return _apply(dsn)
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"Postgres went away while the database's version was looked at or raised: {error}; see whether"
            " Postgres runs and postgres.url leads to it"
        ) from error


def _apply(dsn: str) -> list[str]:
    backend = _Backend(parse_uri(_yoyo_url(dsn)), yoyo.default_migration_table)
    try:
        backend.init_database()
        # The advisory lock above is the real one. yoyo's is a row that a killed run leaves behind, and that it waits
        # for even to look.
        backend.break_lock()
        with as_file(files("schemas") / "database") as folder:
            migrations: MigrationList = yoyo.read_migrations(str(folder))
            todo = backend.to_apply(migrations)
            names = [migration.id for migration in todo]
            if todo:
                with backend.lock():
                    for migration in todo:
                        # yoyo's own way commits what a file does before it notes that it was done: a process killed
                        # in between would leave a database that no later one could bring on.
                        with backend.transaction():
                            migration.process_steps(backend, "apply")
                            backend.mark_one(migration, log=False)
        return names
    finally:
        backend.connection.close()


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's, without its attempts that must fail: each is an error in the log of Postgres."""

    create_lock_table_sql = PostgresqlPsycopgBackend.create_lock_table_sql.replace(
        "CREATE TABLE", "CREATE TABLE IF NOT EXISTS"
    )

    def _check_transactional_ddl(self) -> bool:
        return True


def _yoyo_url(dsn: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(scheme="postgresql+psycopg"))

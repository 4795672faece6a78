"""The database's versions: plain SQL files in schemas/database, applied once each, in order, by yoyo."""

import asyncio
from importlib.resources import as_file, files
from typing import Any

import psycopg
import yoyo
from psycopg.conninfo import make_conninfo
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import MigrationList

from worker.errors import ImpossibleSetting, SchemaOutOfDate, StoreUnavailable
from worker.process.postgres_url import names_several_hosts
from worker.store.pool import opening_errors, store_errors
from worker.store.readiness import missing_migrations, require_converted_log
from worker.store.servers import connect

# Any constant will do, as long as every Bouncekeeper uses the same: two migrations never run side by side.
_ADVISORY_LOCK = 0x626F756E6365
_CONNECT_SECONDS = 10.0


async def migrate(dsn: str, *, dry_run: bool = False) -> list[str]:
    """Brings the database to this program's version; returns the names of the applied migrations.

    With dry_run, returns the names of the missing ones and changes nothing. Raises StoreUnavailable, also while
    somebody restores the database, and ImpossibleSetting for a wrong URL.
    """
    # The migrating library creates its own tables even to look, and cannot tell a wrong password or database from a
    # server that is away.
    missing = await missing_migrations(dsn)
    if dry_run:
        return missing
    if missing:
        missing = await asyncio.to_thread(_migrate, dsn)
    await give_rights(dsn)
    return missing


async def give_rights(dsn: str) -> None:
    """Gives the existing roles of deploy/postgres-roles.sql today's rights, and no others.

    Raises StoreUnavailable, and ImpossibleSetting if the user does not own the tables.
    """
    with opening_errors():
        connection = await connect(dsn, timeout=_CONNECT_SECONDS)
    try:
        with store_errors("giving the processes' roles their rights"):
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
                await connection.execute((files("schemas") / "database_rights.sql").read_text(encoding="utf-8"))
    finally:
        await connection.close()


async def require_current_schema(dsn: str) -> None:
    """Raises SchemaOutOfDate if `bouncekeeper migrate` has something to do."""
    if missing := await migrate(dsn, dry_run=True):
        raise SchemaOutOfDate(
            f"the database lacks {', '.join(missing)}: run `bouncekeeper migrate`, then start this again"
        )
    await require_converted_log(dsn)


def _migrate(dsn: str) -> list[str]:
    try:
        with _session(dsn) as guard:
            guard.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
            return _apply(dsn)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ImpossibleSetting(
            f"Postgres does not let this user migrate: {str(error).splitlines()[0]}. Run `bouncekeeper migrate` as the"
            " user who owns the tables, or may make them"
        ) from error
    except psycopg.OperationalError as error:
        raise StoreUnavailable(
            f"Postgres went away while the database's version was looked at or raised: {error}; see whether"
            " Postgres runs and postgres.url leads to it"
        ) from error


def _apply(dsn: str) -> list[str]:
    backend = _Backend(dsn)
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
                        # yoyo itself commits a file's changes before it notes that the file was applied: if it were
                        # killed in between, no later run could continue.
                        with backend.transaction():
                            migration.process_steps(backend, "apply")
                            backend.mark_one(migration, log=False)
        return names
    finally:
        backend.connection.close()


def _session(dsn: str) -> "psycopg.Connection[Any]":
    """A session of the host that takes writes, if the URL names several."""
    if names_several_hosts(dsn):
        # As worker.store.servers does, whatever the URL asks for: libpq's `primary` accepts a read-only server.
        dsn = make_conninfo(dsn, target_session_attrs="read-write")
    return psycopg.connect(dsn, autocommit=True, connect_timeout=int(_CONNECT_SECONDS))


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo's backend, for any URL that libpq reads: yoyo itself reads a single host only.

    Without its attempts that must fail: each is an error in the log of Postgres.
    """

    create_lock_table_sql = PostgresqlPsycopgBackend.create_lock_table_sql.replace(
        "CREATE TABLE", "CREATE TABLE IF NOT EXISTS"
    )

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        nowhere = DatabaseURI("postgresql+psycopg", None, None, None, None, None, {})
        super().__init__(nowhere, yoyo.default_migration_table)

    def connect(self, dburi: DatabaseURI) -> "psycopg.Connection[Any]":  # noqa: ARG002 - yoyo's signature
        """A session; what yoyo believes of the URL is not used."""
        return _session(self._dsn)

    def _check_transactional_ddl(self) -> bool:
        return True

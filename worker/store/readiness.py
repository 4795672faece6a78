"""Finds out whether the database is ready for work, and what it lacks."""

from importlib.resources import files

from worker.errors import ImpossibleSetting, SchemaOutOfDate, StopTheProcess, StoreUnavailable
from worker.process.deadline import answer_within
from worker.store.log_conversion import conversion_is_due
from worker.store.pool import Executor, opening_errors, store_errors
from worker.store.servers import connect

_MIGRATIONS_TABLE = "_yoyo_migration"
_ANSWER_SECONDS = 2.0  # callers of a probe do not wait much longer
_CONNECT_SECONDS = 10.0

# pg_restore names its sessions, and Postgres shows the names to every user. If somebody has chosen another name
# (PGAPPNAME), the missing index shows it.
_RESTORE = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'pg_restore' AND pid <> pg_backend_pid()
     LIMIT 1
"""
# pg_restore makes the indexes after all rows are there.
_INDEX = "contacts_address"
_UNCONVERTED = (
    "the database has events in the shape of a former version: run `bouncekeeper migrate`, which goes on where it"
    " stopped"
)


async def missing_in_database(executor: Executor) -> list[str]:
    """What the database lacks, each with the remedy; [] if it is ready.

    Cheap enough for a probe: it takes no lock, and answers in time whatever Postgres does.
    """
    try:
        return await answer_within(_ANSWER_SECONDS, _missing(executor))
    except TimeoutError:
        return [f"Postgres did not answer within {_ANSWER_SECONDS:g} s: see what keeps it busy"]
    except (StoreUnavailable, StopTheProcess) as error:  # whoever works with the database reacts; a probe only tells
        return [str(error)]


async def schema_is_whole(dsn: str) -> bool:
    """True if the database exists, has this program's version, and nobody is restoring it. Changes nothing."""
    try:
        with opening_errors():
            connection = await connect(dsn, timeout=_CONNECT_SECONDS)
        try:
            return not await missing_in_database(connection)
        finally:
            await connection.close()
    except (StoreUnavailable, ImpossibleSetting):
        return False


async def missing_migrations(dsn: str) -> list[str]:
    """The names of migrations that this program has and the database does not. Changes nothing.

    Raises StoreUnavailable, also while somebody restores the database, and ImpossibleSetting for a wrong URL.
    """
    with opening_errors():
        connection = await connect(dsn, timeout=_CONNECT_SECONDS)
    try:
        with store_errors("asking which migrations are applied"):
            await refuse_while_restored(connection)
            return await _missing_migrations(connection)
    finally:
        await connection.close()


async def require_converted_log(dsn: str) -> None:
    """Raises SchemaOutOfDate while there are events of the former shape, and the errors of missing_migrations."""
    with opening_errors():
        connection = await connect(dsn, timeout=_CONNECT_SECONDS)
    try:
        if await conversion_is_due(connection):
            raise SchemaOutOfDate(f"{_UNCONVERTED}; then start this again")
    finally:
        await connection.close()


async def refuse_while_restored(executor: Executor) -> None:
    """Raises StoreUnavailable while pg_restore fills the database: our tables would be in its way."""
    if (pid := await executor.fetchval(_RESTORE)) is not None:
        raise StoreUnavailable(f"pg_restore (process {pid} of Postgres) fills the database: wait until it has ended")


async def _missing(executor: Executor) -> list[str]:
    with store_errors("asking which migrations are applied"):
        await refuse_while_restored(executor)
        if names := await _missing_migrations(executor):
            return [f"the database lacks {', '.join(names)}: run `bouncekeeper migrate`"]
        if await conversion_is_due(executor):
            return [_UNCONVERTED]
        if await executor.fetchval("SELECT to_regclass($1)", _INDEX) is None:
            return [f"the database lacks the index {_INDEX}: its restore has not ended, or failed; restore it anew"]
    return []


async def _missing_migrations(executor: Executor) -> list[str]:
    folder = files("schemas") / "database"
    migrations = sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))
    if await executor.fetchval("SELECT to_regclass($1)", _MIGRATIONS_TABLE) is None:
        return migrations
    records = await executor.fetch(f"SELECT migration_id FROM {_MIGRATIONS_TABLE}")  # noqa: S608 - a constant
    applied = {record["migration_id"] for record in records}
    return [name for name in migrations if name not in applied]

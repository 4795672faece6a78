"""What the database lacks before it can be worked with."""

from importlib.resources import files

from worker.store.pool import Executor, store_errors

_MIGRATIONS_TABLE = "_yoyo_migration"


async def missing_migrations(executor: Executor) -> list[str]:
    """The names of migrations that this program has and the database does not; [] when it is ready.

    Cheap enough for a probe: it asks for no lock. Raises StoreUnavailable.
    """
    folder = files("schemas") / "database"
    known = sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))
    with store_errors("asking which migrations are applied"):
        if await executor.fetchval("SELECT to_regclass($1)", _MIGRATIONS_TABLE) is None:
            return known
        records = await executor.fetch(f"SELECT migration_id FROM {_MIGRATIONS_TABLE}")  # noqa: S608 - a constant
    applied = {record["migration_id"] for record in records}
    return [name for name in known if name not in applied]

"""What the database lacks before it can be worked with."""

import asyncio
from importlib.resources import files

from worker.errors import ImpossibleSetting, StoreUnavailable
from worker.store.pool import Executor, store_errors

_MIGRATIONS_TABLE = "_yoyo_migration"
_ANSWER_SECONDS = 2.0  # who asks a probe does not wait much longer


async def missing_in_database(executor: Executor) -> list[str]:
    """What stands in the way of work with the database, each with the remedy; [] when it is ready.

    Cheap enough for a probe: it asks for no lock, and answers in time whatever Postgres does.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            names = await _missing_migrations(executor)
    except TimeoutError:
        return [f"Postgres did not answer within {_ANSWER_SECONDS:g} s: see what keeps it busy"]
    except (StoreUnavailable, ImpossibleSetting) as error:
        return [str(error)]
    return [f"the database lacks {', '.join(names)}: run `bouncekeeper migrate`"] if names else []


async def _missing_migrations(executor: Executor) -> list[str]:
    """The names of migrations that this program has and the database does not."""
    folder = files("schemas") / "database"
    known = sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))
    with store_errors("asking which migrations are applied"):
        if await executor.fetchval("SELECT to_regclass($1)", _MIGRATIONS_TABLE) is None:
            return known
        records = await executor.fetch(f"SELECT migration_id FROM {_MIGRATIONS_TABLE}")  # noqa: S608 - a constant
    applied = {record["migration_id"] for record in records}
    return [name for name in known if name not in applied]

"""The rights that a process had in the database when it started: one that is lost since is waited for.

Somebody revokes too much, or takes a role from the user. That is an outage, as a rejection is. A right that was never
there is a wrong setting.
"""

import asyncio
import math
import time
from collections.abc import Set as AbstractSet

from worker.errors import ImpossibleSetting, MissingRight, SchemaOutOfDate, StoreUnavailable
from worker.process.logs import Reminder, get_logger
from worker.process.pause import pause
from worker.store.pool import Executor, opening_errors, store_errors
from worker.store.servers import connect

_log = get_logger()

_LOOK_EVERY_SECONDS = 2.0
_CONNECT_SECONDS = 10.0
_DOUBT_SECONDS = 60.0  # a right that is missed twice within this time, though all are there, was never there
_DOING = "asking for our rights"

# Of the tables by their columns, because some rights are given on a few of them. Months come and go.
_RIGHTS = """
    SELECT 'TEMPORARY' AS name WHERE has_database_privilege(current_database(), 'TEMPORARY')
    UNION ALL
    SELECT 'EXECUTE ' || proname FROM pg_proc
     WHERE pronamespace = to_regnamespace(current_schema()::text) AND has_function_privilege(oid, 'EXECUTE')
    UNION ALL
    SELECT 'DELETE ' || relname FROM pg_class
     WHERE relnamespace = to_regnamespace(current_schema()::text) AND relkind IN ('r', 'p', 'v') AND NOT relispartition
       AND has_table_privilege(oid, 'DELETE')
    UNION ALL
    SELECT concat_ws(' ', verb, relname, attname)
      FROM pg_class
      JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
      CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS verb
     WHERE relnamespace = to_regnamespace(current_schema()::text) AND relkind IN ('r', 'p', 'v') AND NOT relispartition
       AND has_column_privilege(pg_class.oid, attnum, verb)
"""


class HeldRights:
    """The rights of one process, from the end of its start on."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._held: AbstractSet[str] | None = None
        self._doubted_at = -math.inf  # nothing was missing by then
        self._reminder = Reminder()

    async def note(self, executor: Executor) -> None:
        """Notes the rights of now, unless they were noted before. Raises as store_errors does."""
        if self._held is None:
            with store_errors(_DOING):
                self._held = await _rights(executor)

    async def wait_for_return(self, error: MissingRight, stop: asyncio.Event) -> None:
        """Returns when it is worth another try: the rights that are missing, or some of them, are there again.

        Raises `error` if none is missing that was held, because then the right was never there.
        """
        former: AbstractSet[str] | None = None
        while not stop.is_set():
            missing = await self._missing(error)
            if missing is not None:
                if former is None and not missing:
                    # Either it is back by now, or it was never there: the next try tells.
                    now = time.monotonic()
                    if now < self._doubted_at + _DOUBT_SECONDS:
                        raise error
                    self._doubted_at = now
                    return
                if former is not None and missing != former:
                    break
                former = missing
            if self._reminder.due(str(error)):
                _log.error("postgres.rejected", reason=str(error))
            await pause(stop, _LOOK_EVERY_SECONDS)
        self._reminder.over()

    async def _missing(self, error: MissingRight) -> AbstractSet[str] | None:
        """The rights that were held; None if Postgres does not tell now. Raises `error` if none were noted."""
        if self._held is None:
            raise error
        try:
            with opening_errors():
                connection = await connect(self._dsn, timeout=_CONNECT_SECONDS)
            try:
                with store_errors(_DOING):
                    return self._held - await _rights(connection)
            finally:
                await connection.close()
        except (StoreUnavailable, ImpossibleSetting, SchemaOutOfDate):
            return None


async def _rights(executor: Executor) -> frozenset[str]:
    return frozenset(row["name"] for row in await executor.fetch(_RIGHTS))

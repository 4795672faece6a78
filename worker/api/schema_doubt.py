"""Once a table was missing, no answer is given from the database until it is complete.

Restoring a backup creates the tables before it fills them, and an empty table would allow everybody.
"""

from worker.errors import SchemaOutOfDate
from worker.store.pool import Pool
from worker.store.readiness import missing_in_database


class SchemaDoubt:
    """Remembers that a table was missing."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._doubted = False

    def arise(self) -> None:
        """Call this when a table was missing."""
        self._doubted = True

    async def settle(self) -> None:
        """Raises SchemaOutOfDate if a table was missing and the database is still not complete."""
        if not self._doubted:
            return
        if missing := await missing_in_database(self._pool):
            raise SchemaOutOfDate("; ".join(missing))
        self._doubted = False

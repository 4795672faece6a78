"""A database that was seen without one of its tables is not believed until it is whole.

Whoever restores a backup has made the tables before he fills them, and of an empty one everybody would be allowed.
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
        """A table was missing just now."""
        self._doubted = True

    async def settle(self) -> None:
        """Returns if nothing is in doubt, or the database is whole again. Raises SchemaOutOfDate."""
        if not self._doubted:
            return
        if missing := await missing_in_database(self._pool):
            raise SchemaOutOfDate("; ".join(missing))
        self._doubted = False

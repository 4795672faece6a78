"""Which history of the database the sessions of a process are of.

A replica that takes over may lack the last commits of the primary, and a database that is restored to a moment lacks
all later ones. Ids that were given in them are gone, or are given again. So whoever remembers ids of words or campaigns
must forget them then. Postgres counts these events: each begins a new timeline.
"""

import asyncpg

from worker.errors import DatabaseReplaced
from worker.store.pool import Connection

# A standby has no timeline of its own yet, and cannot be written to.
_TIMELINE = """
    SELECT CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END
"""
# What servers answer that have no timeline to show, as some that are Postgres only outwardly, or that keep it secret.
_UNTOLD = (
    asyncpg.FeatureNotSupportedError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.UndefinedFunctionError,
)


class ServerHistory:
    """Remembers the timeline of the first session that can write. Where the server tells none, nothing is noticed."""

    def __init__(self) -> None:
        self._timeline: str | None = None

    async def check(self, connection: Connection) -> None:
        """Raises DatabaseReplaced if this session is of another timeline."""
        try:
            timeline: str | None = await connection.fetchval(_TIMELINE)
        except _UNTOLD:
            return
        if self._timeline is not None and timeline not in {None, self._timeline}:
            raise DatabaseReplaced(
                f"the database goes on under timeline {timeline}, after {self._timeline}: a replica has taken over, or "
                "it was restored to a moment"
            )
        self._timeline = self._timeline or timeline

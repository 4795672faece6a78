"""Which history of the database the sessions of a process are of.

A replica that takes over may lack the last commits of the primary, and a database that is restored to a moment lacks
all later ones. Ids that were given in them are gone, or are given again. So whoever remembers ids of words or campaigns
must forget them then. Postgres counts these events: each begins a new timeline. A dump that is restored into another
cluster begins none, but each cluster has a number of its own.
"""

from typing import Any

import asyncpg

from worker.errors import DatabaseReplaced, StoreUnavailable
from worker.store.pool import Connection

_IS_STANDBY = "SELECT pg_is_in_recovery()"
# What tells one history from another, by the name under which people know it.
_SIGNS = {
    "cluster": "SELECT system_identifier::text FROM pg_control_system()",
    "timeline": "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)",
}
# Answers of servers that have no such sign, as some that are Postgres only outwardly, or that keep it secret.
_UNTOLD = (
    asyncpg.FeatureNotSupportedError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.UndefinedFunctionError,
)


class ServerHistory:
    """Remembers cluster and timeline of the first session. Where the server tells neither, nothing is noticed."""

    def __init__(self) -> None:
        self._signs: dict[str, str] = {}

    async def check(self, connection: Connection) -> None:
        """Raises DatabaseReplaced if this session is of another history, StoreUnavailable if it is a standby's.

        A standby begins its timeline when it is promoted, and nobody would look at its sessions again then.
        """
        if await _told(connection, _IS_STANDBY):
            raise StoreUnavailable(
                "Postgres takes no writes: the server is a standby; promote it, or see that postgres.url leads to the"
                " primary"
            )
        for name, question in _SIGNS.items():
            sign = await _told(connection, question)
            if sign is None:
                continue
            known = self._signs.setdefault(name, sign)
            if known != sign:
                raise DatabaseReplaced(
                    f"the database goes on under {name} {sign}, after {known}: a replica has taken over, or it was"
                    " restored"
                )


async def _told(connection: Connection, question: str) -> Any:
    """The answer; None if the server tells none."""
    try:
        return await connection.fetchval(question)
    except _UNTOLD:
        return None

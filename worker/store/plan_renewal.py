"""Makes sessions plan their statements again while the tables grow.

A statement of a batch keeps one plan (see ONE_PLAN). A plan that was made while a table was empty, and analyzed as
empty, may read the whole table for each row of the question: a few thousand contacts make it a hundred times slower,
and only the next ANALYZE would end that. With a new plan Postgres considers the current size of the table. So a
session's plans are never older than the session was when it made them, and never older than a minute; planning a
batch's statements takes milliseconds.
"""

import time
from functools import partial

from msgspec import Struct

from worker.store.pool import Connection

_OLDEST_PLAN_SECONDS = 60.0


class _Planned(Struct):
    """When a session was opened, and when it began to make its current plans, by the monotonic clock."""

    opened_at: float
    planned_at: float


class PlanRenewal:
    """For the sessions of one pool. Called with each session that the pool lends (`setup` of asyncpg.create_pool)."""

    def __init__(self) -> None:
        self._sessions: dict[int, _Planned] = {}  # by the process of Postgres

    async def __call__(self, connection: Connection) -> None:
        """Lets the session forget plans that are too old."""
        now, process = time.monotonic(), connection.get_server_pid()
        session = self._sessions.get(process)
        if session is None:
            self._sessions[process] = _Planned(opened_at=now, planned_at=now)
            connection.add_termination_listener(partial(self._forget, process))
        elif now - session.planned_at >= min(session.planned_at - session.opened_at, _OLDEST_PLAN_SECONDS):
            await connection.execute("DISCARD PLANS")
            session.planned_at = now

    @property
    def sessions(self) -> int:
        """How many are remembered: those that are open."""
        return len(self._sessions)

    def _forget(self, process: int, _connection: Connection) -> None:
        self._sessions.pop(process, None)

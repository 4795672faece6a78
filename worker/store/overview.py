"""Counts over the whole database, for a person who looks around."""

from datetime import datetime

from msgspec import Struct

from worker.store.pool import Executor, store_errors


class Backlog(Struct, frozen=True, kw_only=True):
    """Committed status changes that a follower of the feed has not received."""

    follower: str
    waiting: int
    oldest_at: datetime | None


_BACKLOGS = """
    SELECT f.name AS follower, count(waiting.recorded_at) AS waiting, min(waiting.recorded_at) AS oldest_at
      FROM feed_followers f
      LEFT JOIN LATERAL (
          SELECT recorded_at FROM status_changes WHERE position IS NULL
          UNION ALL
          SELECT recorded_at FROM status_changes
           WHERE position > least(f.fresh_position, f.bulk_position)
             AND position > CASE WHEN bulk THEN f.bulk_position ELSE f.fresh_position END
      ) waiting ON true
     GROUP BY f.name ORDER BY f.name
"""


async def backlogs(executor: Executor) -> list[Backlog]:
    """The backlog of each follower of the feed. Raises StoreUnavailable."""
    with store_errors("counting what is yet to be announced"):
        records = await executor.fetch(_BACKLOGS)
    return [Backlog(**record) for record in records]

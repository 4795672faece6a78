"""Counts over the whole database, for a person who looks around."""

from datetime import datetime

from msgspec import Struct

from worker.store.pool import Executor, store_errors


class OutboxBacklog(Struct, frozen=True, kw_only=True):
    """Status changes that were committed and not yet published."""

    waiting: int
    oldest_at: datetime | None


async def outbox_backlog(executor: Executor) -> OutboxBacklog:
    """What waits for the relay. Raises StoreUnavailable."""
    with store_errors("counting the outbox"):
        row = await executor.fetchrow("SELECT count(*) AS waiting, min(created_at) AS oldest_at FROM outbox")
    return (
        OutboxBacklog(waiting=row["waiting"], oldest_at=row["oldest_at"])
        if row
        else OutboxBacklog(waiting=0, oldest_at=None)
    )


async def server_version(executor: Executor) -> int:
    """The major version of Postgres: 18. Raises StoreUnavailable."""
    with store_errors("asking for the version"):
        return int(await executor.fetchval("SHOW server_version_num")) // 10_000

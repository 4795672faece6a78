"""The months of `calm_events`: made ahead, made for older events that arrive, retired and dropped when old.

Functions of the database do it, one at a time, because the role of processors may not alter the schema.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from worker.store.pool import Connection

_RETIRED = "retired"  # as in schemas/database/0022_months_by_function.sql


def month_of(time: datetime) -> datetime:
    """The first moment of the time's month, in UTC."""
    return time.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def months_later(month: datetime, count: int) -> datetime:
    """The month `count` months after (before, when negative) the given one."""
    index = month.year * 12 + month.month - 1 + count
    return month.replace(year=index // 12, month=index % 12 + 1)


async def existing_partitions(connection: Connection) -> list[datetime]:
    """The months that have a partition, oldest first."""
    names = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'calm_events'::regclass AND c.relname LIKE 'calm\\_events\\_%' ORDER BY 1"
    )
    return [datetime.strptime(name, "calm_events_%Y_%m").replace(tzinfo=UTC) for (name,) in names]


async def make_partitions(connection: Connection, months: Iterable[datetime]) -> list[datetime]:
    """Makes the missing partitions of these months; returns the months of the new ones."""
    in_order = sorted({month_of(month) for month in months})
    async with connection.transaction():
        return [month for month in in_order if await connection.fetchval("SELECT make_month_of_calm_events($1)", month)]


async def retire_partition(connection: Connection, month: datetime) -> None:
    """Closes the month for writing: an attempt raises MonthClosed.

    Waits for transactions that write to it. Its events can be read until it is dropped.
    """
    await connection.execute("SELECT retire_month_of_calm_events($1)", month)


async def retired_months(connection: Connection) -> set[datetime]:
    """The months that are about to be dropped."""
    names = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " JOIN pg_constraint r ON r.conrelid = c.oid AND r.conname = $1"
        " WHERE i.inhparent = 'calm_events'::regclass AND c.relname LIKE 'calm\\_events\\_%'",
        _RETIRED,
    )
    return {datetime.strptime(name, "calm_events_%Y_%m").replace(tzinfo=UTC) for (name,) in names}


async def drop_partition(connection: Connection, month: datetime) -> None:
    """Drops the retired month with its events.

    The events that still matter must be kept before (worker.contacts.retention).
    """
    await connection.execute("SELECT drop_month_of_calm_events($1)", month)

"""The months of `calm_events`: made ahead, made when an older one turns up, retired and dropped when old."""

from collections.abc import Iterable
from datetime import UTC, datetime

from worker.store.pool import Connection

# One maker or dropper at a time, whatever process it is in.
_ADVISORY_LOCK = 0x70617274
_RETIRED = "retired"


def month_of(time: datetime) -> datetime:
    """The first moment of the time's month, in UTC."""
    return time.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def months_later(month: datetime, count: int) -> datetime:
    """The month `count` months after (before, when negative) the given one."""
    index = month.year * 12 + month.month - 1 + count
    return month.replace(year=index // 12, month=index % 12 + 1)


def partition_name(month: datetime) -> str:
    """`calm_events_2026_11`."""
    return f"calm_events_{month:%Y_%m}"


async def existing_partitions(connection: Connection) -> list[datetime]:
    """The months that have a partition, oldest first."""
    names = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'calm_events'::regclass AND c.relname LIKE 'calm\\_events\\_%' ORDER BY 1"
    )
    return [datetime.strptime(name, "calm_events_%Y_%m").replace(tzinfo=UTC) for (name,) in names]


async def make_partitions(connection: Connection, months: Iterable[datetime]) -> list[datetime]:
    """Each of the months has a partition when this returns; gives those that were made.

    A table is made first and attached then: that holds off no reader and no writer of `calm_events`, where CREATE
    TABLE … PARTITION OF would wait for all of them.
    """
    wanted = sorted({month_of(month) for month in months})
    made = []
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
        existing = set(await existing_partitions(connection))
        for month in wanted:
            if month in existing:
                continue
            name, until = partition_name(month), months_later(month, 1)
            await connection.execute(f"CREATE TABLE {name} (LIKE calm_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
            await connection.execute(
                f"ALTER TABLE calm_events ATTACH PARTITION {name}"
                f" FOR VALUES FROM ('{month:%Y-%m-%d}T00:00:00Z') TO ('{until:%Y-%m-%d}T00:00:00Z')"
            )
            made.append(month)
    return made


async def retire_partition(connection: Connection, month: datetime) -> None:
    """Nothing is written to the month any more: whoever tries gets MonthClosed.

    Waits for whoever is writing to it. What is in it can be read until it is dropped.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
        if month not in await retired_months(connection):
            name = partition_name(month)
            # Not valid: what is in the table already is not looked at.
            await connection.execute(f"ALTER TABLE {name} ADD CONSTRAINT {_RETIRED} CHECK (false) NOT VALID")


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
    """The month's events are gone. Those that still have a say must be kept before (worker.contacts.retention)."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY_LOCK)
        await connection.execute(f"DROP TABLE IF EXISTS {partition_name(month)}")

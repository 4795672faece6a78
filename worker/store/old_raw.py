"""Drops the raw bytes of old events some rows at a time; the events stay."""

from datetime import datetime

from worker.store.pool import Connection

TABLES_WITH_RAW = ("entries", "calm_events", "kept_calm_events", "nameless_events")

# A row is identified by its partition and its place there. Rows that are locked just now are dropped later.
_DROP = """
    WITH old AS (
        SELECT tableoid AS partition, ctid AS place FROM {table}
         WHERE received_at < $1 AND raw IS NOT NULL
         ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE {table} e SET raw = NULL, dictionary_id = NULL
      FROM old WHERE e.tableoid = old.partition AND e.ctid = old.place
"""


async def drop_raw_before(connection: Connection, table: str, moment: datetime, *, limit: int) -> int:
    """Drops the raw bytes of up to `limit` events that arrived before the moment. Returns how many."""
    if table not in TABLES_WITH_RAW:
        raise AssertionError(f"{table} holds no events")
    tag = await connection.execute(_DROP.format(table=table), moment, limit)
    return int(tag.rpartition(" ")[2])

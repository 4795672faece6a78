"""Converts events of the former shape into entries of the log, one stretch of a table at a time.

The tables of the former shape are `former_events`, in months, and `former_kept_events`. The transaction that converts a
stretch stores the progress, and a table is dropped when all of it is converted. After both, `log_conversion` is dropped
too: as long as it exists, no processor starts (worker.store.readiness).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
from msgspec import Struct

from schemas.entry import LASTING_KINDS
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import SchemaOutOfDate
from worker.store.event_rows import EVENT_COLUMNS, EventEncoder, EventOfContact
from worker.store.named_statement import NamedStatement
from worker.store.partitions import make_partitions
from worker.store.pool import Connection, Executor, Pool, store_errors
from worker.store.sessions import session, transaction

FORMER_READER = 0  # the reader_version of converted events
_DOING = "converting events of the former shape"
_IN_MONTHS, _KEPT = "former_events", "former_kept_events"
_MONTH = "events_%Y_%m"

_IS_DUE = "SELECT to_regclass('log_conversion') IS NOT NULL"
# Kept events first: of two copies with one key they are the older one.
_TABLES = NamedStatement("""
    SELECT relname FROM (
        SELECT c.relname, 1 AS place FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = to_regclass(:in_months)
        UNION ALL
        SELECT c.relname, 0 FROM pg_class c WHERE c.oid = to_regclass(:kept)) t
     ORDER BY place, relname
""")
_LARGE = 100_000  # rows: larger tables are estimated
_ROWS = """
    SELECT reltuples::bigint AS rows, pg_relation_size(oid) / current_setting('block_size')::bigint AS blocks
      FROM pg_class WHERE oid = $1::text::regclass
"""
_NEXT_BLOCK = "SELECT next_block FROM log_conversion WHERE table_name = $1"
_NOTE = """
    INSERT INTO log_conversion (table_name, next_block) VALUES ($1, $2)
    ON CONFLICT (table_name) DO UPDATE SET next_block = excluded.next_block
"""
# One stretch at a time, in all processes.
_ADVISORY_LOCK = 0x6C6F67
_TURN = "SELECT pg_advisory_xact_lock($1)"
# Not by to_regclass, which may still remember a table that was dropped while we waited for our turn.
_IS_THERE = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid))"
_BLOCKS = "SELECT pg_relation_size($1::regclass) / current_setting('block_size')::bigint"
_STRETCH = """
    SELECT occurred_at, event_key, contact_id, kind, cause, provider, source, vendor_event, message_id, smtp_code,
           enhanced_status, diagnostic, scope, machine, received_at, delivery_id, tags, metadata, raw
      FROM {table} WHERE ctid >= $1::text::tid AND ctid < $2::text::tid
     ORDER BY contact_id, occurred_at
"""
_STAGE = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS staged_log ON COMMIT DELETE ROWS
        AS SELECT {", ".join(EVENT_COLUMNS)} FROM entries WITH NO DATA
"""  # noqa: S608 - constants
_TAKE_OVER = f"""
    INSERT INTO {{table}} ({", ".join(EVENT_COLUMNS)}) SELECT {", ".join(EVENT_COLUMNS)} FROM staged_log
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
_FINISH = "DROP TABLE IF EXISTS former_events, former_kept_events, log_conversion"


class Stretch(Struct, frozen=True, kw_only=True):
    """The part of a table that one transaction converted."""

    table: str
    events: int
    next_block: int
    blocks: int  # of the table
    dropped: bool  # all of it had been converted before


async def conversion_is_due(executor: Executor) -> bool:
    """True until all events of the former shape are converted. Raises StoreUnavailable."""
    with store_errors(_DOING):
        return bool(await executor.fetchval(_IS_DUE))


async def events_to_convert(executor: Executor) -> int:
    """How many events have the former shape; an estimate for large tables. Works before the migration too.

    Raises StoreUnavailable.
    """
    with store_errors(_DOING):
        if await executor.fetchval("SELECT to_regclass('entries') IS NULL"):
            arguments = _TABLES(in_months="events", kept="kept_events")
        else:
            arguments = _TABLES(in_months=_IN_MONTHS, kept=_KEPT)
        is_under_way = bool(await executor.fetchval(_IS_DUE))
        tables = [table for (table,) in await executor.fetch(*arguments)]
        return sum([await _rows_left(executor, table, is_under_way=is_under_way) for table in tables])


async def _rows_left(executor: Executor, table: str, *, is_under_way: bool) -> int:
    try:
        done = (await executor.fetchval(_NEXT_BLOCK, table) or 0) if is_under_way else 0
        estimate = await executor.fetchrow(_ROWS, table)
        if estimate is not None and estimate["rows"] > _LARGE:
            return int(estimate["rows"] * (estimate["blocks"] - done) // max(1, estimate["blocks"]))
        remaining = f"SELECT count(*) FROM {table} WHERE ctid >= $1::text::tid"  # noqa: S608 - its name
        return int(await executor.fetchval(remaining, f"({done},0)"))
    except asyncpg.UndefinedTableError:
        return 0  # somebody has just finished it


async def former_tables(pool: Pool) -> list[str]:
    """The tables that are not converted yet, in the order of conversion. Raises StoreUnavailable."""
    with store_errors(_DOING):
        return [table for (table,) in await pool.fetch(*_TABLES(in_months=_IN_MONTHS, kept=_KEPT))]


async def convert_stretch(pool: Pool, encoder: EventEncoder, table: str, *, most_blocks: int) -> Stretch | None:
    """Converts the next stretch of the table, or drops the table if there is none; None if the table is gone.

    Other conversions wait meanwhile. Raises StoreUnavailable, and SchemaOutOfDate for a word that this
    version does not know.
    """
    async with transaction(pool, _DOING) as connection:
        await connection.execute(_TURN, _ADVISORY_LOCK)
        if not await connection.fetchval(_IS_THERE, table):
            return None
        first: int = await connection.fetchval(_NEXT_BLOCK, table) or 0
        blocks: int = await connection.fetchval(_BLOCKS, table)
        if first >= blocks:
            await connection.execute(f"DROP TABLE {table}")
            return Stretch(table=table, events=0, next_block=first, blocks=blocks, dropped=True)
        following = min(first + most_blocks, blocks)
        rows = await connection.fetch(_STRETCH.format(table=table), f"({first},0)", f"({following},0)")
        events = [(_event(row), row["contact_id"]) for row in rows]
        await encoder.learn(pool, [event for event, _ in events])
        if table != _KEPT:
            await make_partitions(connection, [datetime.strptime(table, _MONTH).replace(tzinfo=UTC)])
        await _take_over(connection, encoder, events, calm="kept_calm_events" if table == _KEPT else "calm_events")
        await connection.execute(_NOTE, table, following)
        return Stretch(table=table, events=len(events), next_block=following, blocks=blocks, dropped=False)


async def finish_conversion(pool: Pool) -> None:
    """Ends the conversion after all tables are converted; processors may start then. Raises StoreUnavailable."""
    async with transaction(pool, _DOING) as connection:
        await connection.execute(_TURN, _ADVISORY_LOCK)
        await connection.execute(_FINISH)
    async with session(pool, _DOING) as connection:
        await connection.execute("ANALYZE entries, calm_events, kept_calm_events")


async def _take_over(
    connection: Connection, encoder: EventEncoder, events: Sequence[EventOfContact], *, calm: str
) -> None:
    await connection.execute(_STAGE)
    for table, rows in (
        ("nameless_events", [one for one in events if one[1] is None]),
        ("entries", [one for one in events if one[1] is not None and one[0].kind in LASTING_KINDS]),
        (calm, [one for one in events if one[1] is not None and one[0].kind not in LASTING_KINDS]),
    ):
        if rows:
            await encoder.copy(connection, "staged_log", rows)
            await connection.execute(_TAKE_OVER.format(table=table))
            await connection.execute("DELETE FROM staged_log")


def _event(row: asyncpg.Record) -> FeedbackEvent:
    """The event of a former row, without account and address: the row names its contact by id."""
    try:
        kind, cause = Kind(row["kind"]), Cause(row["cause"])
    except ValueError as error:
        raise SchemaOutOfDate(
            f"the event of delivery {row['delivery_id']} cannot be converted: {error}. A newer Bouncekeeper has written"
            " it; migrate with that version"
        ) from error
    tags: list[str] | None = row["tags"]
    fields: dict[str, Any] = {name: row[name] for name in _SAME}
    return FeedbackEvent(account="", address=None, kind=kind, cause=cause, tags=tuple(tags or ()), **fields)


_SAME = (
    *("event_key", "provider", "source", "occurred_at", "received_at", "delivery_id", "vendor_event", "message_id"),
    *("smtp_code", "enhanced_status", "diagnostic", "scope", "machine", "metadata", "raw"),
)

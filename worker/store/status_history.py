"""Status changes as lines of the history; whoever follows the feed is told of them from there."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from worker.store.pool import Connection


class StatusChangeRow(Struct, frozen=True, kw_only=True, gc=False):
    """A line of the history, as it is written."""

    contact_id: int
    recorded_at: datetime
    since: datetime | None
    until: datetime | None
    old_status: str
    new_status: str
    old_blocks: str
    new_blocks: str
    cause: str
    rule: str | None
    event_key: bytes | None
    delivery_id: UUID | None
    actor: str
    note: str | None = None
    bulk: bool = False  # fresh changes are told before it


_APPEND = """
    INSERT INTO status_changes (contact_id, recorded_at, since, until, old_status, new_status, old_blocks,
        new_blocks, cause, rule, event_key, delivery_id, actor, note, bulk)
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::text[],
        $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[], $12::uuid[], $13::text[],
        $14::text[], $15::boolean[])
"""


async def append_status_changes(connection: Connection, rows: Sequence[StatusChangeRow]) -> None:
    """Adds lines to the history, in this order."""
    values = [
        (
            row.contact_id,
            row.recorded_at,
            row.since,
            row.until,
            row.old_status,
            row.new_status,
            row.old_blocks,
            row.new_blocks,
            row.cause,
            row.rule,
            row.event_key,
            row.delivery_id,
            row.actor,
            row.note,
            row.bulk,
        )
        for row in rows
    ]
    if values:
        await connection.execute(_APPEND, *zip(*values, strict=True))

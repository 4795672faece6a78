"""Status changes: one line in the history each, and one message for whoever listens, in the same transaction."""

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


class OutgoingRow(Struct, frozen=True, kw_only=True, gc=False):
    """A message on its way to the topic exchange."""

    message_id: UUID
    routing_key: str
    body: bytes


# Any constant that no other lock of ours uses.
_RELAY_LOCK = 0x72656C6179

_APPEND = """
    INSERT INTO status_changes (contact_id, recorded_at, since, until, old_status, new_status, old_blocks,
        new_blocks, cause, rule, event_key, delivery_id, actor, note)
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::text[],
        $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bytea[], $12::uuid[], $13::text[],
        $14::text[])
"""

_ANNOUNCE = """
    INSERT INTO outbox (message_id, routing_key, body, created_at)
    SELECT *, now() FROM unnest($1::uuid[], $2::text[], $3::bytea[])
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
        )
        for row in rows
    ]
    if values:
        await connection.execute(_APPEND, *zip(*values, strict=True))


async def append_outgoing(connection: Connection, rows: Sequence[OutgoingRow]) -> None:
    """Adds messages to the outbox, in this order."""
    values = [(row.message_id, row.routing_key, row.body) for row in rows]
    if values:
        await connection.execute(_ANNOUNCE, *zip(*values, strict=True))


async def lock_outgoing(connection: Connection, limit: int) -> list[tuple[int, OutgoingRow]]:
    """The oldest messages with their numbers; [] while another relay is at it.

    One at a time until the transaction ends: two relays side by side would publish a contact's later change
    before its earlier one. Of one contact the numbers are in the order of the changes, for its row was locked.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _RELAY_LOCK):
        return []
    records = await connection.fetch("SELECT id, message_id, routing_key, body FROM outbox ORDER BY id LIMIT $1", limit)
    return [
        (number, OutgoingRow(message_id=message_id, routing_key=routing_key, body=body))
        for number, message_id, routing_key, body in records
    ]


async def delete_outgoing(connection: Connection, numbers: Sequence[int]) -> None:
    """Takes published messages out of the outbox."""
    await connection.execute("DELETE FROM outbox WHERE id = ANY ($1::bigint[])", list(numbers))

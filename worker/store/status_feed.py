"""Status changes as a feed that a reader can follow without ever missing one.

Rows are told in the order of (transaction, id), and only when every transaction up to theirs has ended: a row
that is committed late, behind others with higher ids, is told late and not passed over. A transaction that stays
open holds up the feed, never its truth.

Transaction numbers belong to one Postgres cluster. After a dump was restored into a new cluster the stored
numbers may be ahead of its own; set them back once, before anything is written:
`UPDATE status_changes SET transaction_id = '3'`. Readers then start again from the beginning.
"""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from worker.store.pool import Executor, store_errors

BEGINNING = "0-0"

_AFTER = """
    SELECT s.*, c.account, c.channel, c.address
      FROM status_changes s JOIN contacts c ON c.id = s.contact_id
     WHERE (s.transaction_id, s.id) > ($1::text::xid8, $2::bigint)
       AND s.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY s.transaction_id, s.id
     LIMIT $3
"""
_HIGHEST_TRANSACTION = 2**64 - 1
_HIGHEST_ID = 2**63 - 1


class StatusChange(Struct, frozen=True, kw_only=True):
    """One line of a contact's history."""

    cursor: str  # this line's place in the feed
    recorded_at: datetime
    account: str
    channel: str
    address: str
    old_status: str
    new_status: str
    old_blocks: str
    new_blocks: str
    since: datetime | None  # when the new status began; it may have been learnt of later
    until: datetime | None  # when it ends by itself
    cause: str
    rule: str | None
    event_key: str | None  # of the event that brought it about, hexadecimal
    delivery_id: UUID | None  # of the webhook that brought it about
    actor: str  # `events`, `time`, `policy`, or a person
    note: str | None


async def changes_after(executor: Executor, cursor: str, *, limit: int) -> list[StatusChange]:
    """Up to `limit` changes after the cursor, in the feed's order; [] when there are none yet.

    `cursor` is that of the last change read, or BEGINNING. Raises ValueError when it is none of ours,
    StoreUnavailable.
    """
    transaction, number = parse_cursor(cursor)
    with store_errors("reading the feed of status changes"):
        records = await executor.fetch(_AFTER, str(transaction), number, limit)
    return [status_change(record) for record in records]


def parse_cursor(cursor: str) -> tuple[int, int]:
    """A cursor's transaction and id; raises ValueError when it is none of ours."""
    transaction, dash, number = cursor.partition("-")
    if not (dash and transaction.isascii() and transaction.isdigit() and number.isascii() and number.isdigit()):
        raise ValueError(f"{cursor!r} is no cursor of this feed")
    if int(transaction) > _HIGHEST_TRANSACTION or int(number) > _HIGHEST_ID:
        raise ValueError(f"{cursor!r} is beyond every cursor of this feed")
    return int(transaction), int(number)


def status_change(record: asyncpg.Record) -> StatusChange:
    """The line of a row of status_changes joined with its contact's account, channel and address."""
    key: bytes | None = record["event_key"]
    return StatusChange(
        cursor=f"{record['transaction_id']}-{record['id']}",
        recorded_at=record["recorded_at"],
        account=record["account"],
        channel=record["channel"],
        address=record["address"],
        old_status=record["old_status"],
        new_status=record["new_status"],
        old_blocks=record["old_blocks"],
        new_blocks=record["new_blocks"],
        since=record["since"],
        until=record["until"],
        cause=record["cause"],
        rule=record["rule"],
        event_key=key.hex() if key is not None else None,
        delivery_id=record["delivery_id"],
        actor=record["actor"],
        note=record["note"],
    )

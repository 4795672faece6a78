"""Contacts whose logs are being folded again in the background. Whoever writes one has locked the contact's row."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from worker.store.contact_rows import ContactRow
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class RefoldRow(Row, frozen=True):
    """How far the log of one contact is folded again."""

    contact_id: int
    requested_at: datetime
    policy_id: int  # under which it is folded again
    policy: int  # a hash of that policy, as in checkpoints
    shape: int
    occurred_at: datetime | None  # of the place reached; None: the beginning of the log
    rank: int | None
    entry_key: bytes | None
    facts: bytes | None  # at that place (worker.policy.facts_encoding); None: nothing is known there
    late_at: datetime | None  # of the last place that came late; None: the re-fold reads to the end of the log
    late_rank: int | None
    late_key: bytes | None
    provisional: bytes | None  # what counts meanwhile beside the contact's own facts; None: nothing came late


_COLUMNS = RefoldRow.select_list()
_OF = f"SELECT {_COLUMNS} FROM refolds WHERE contact_id = ANY ($1::bigint[])"  # noqa: S608 - constants
_WRITTEN = ", ".join(f"{column} = excluded.{column}" for column in RefoldRow.columns() if column != "contact_id")
_WRITE = f"""
    INSERT INTO refolds ({_COLUMNS}) SELECT {_COLUMNS} FROM {RefoldRow.unnest("r")}
    ON CONFLICT (contact_id) DO UPDATE SET {_WRITTEN}
"""  # noqa: S608 - as above
# The lock is the contact's: a batch that brings something of it, and whoever folds it again, wait for each other.
_LOCK_NEXT = f"""
    SELECT {ContactRow.select_list("c")} FROM refolds r JOIN contacts c ON c.id = r.contact_id
     WHERE r.due_at <= now()
     ORDER BY r.due_at, r.contact_id LIMIT 1
       FOR NO KEY UPDATE OF c SKIP LOCKED
"""  # noqa: S608 - as above


async def refold_rows(executor: Executor, contact_ids: Sequence[int]) -> list[RefoldRow]:
    """Those of these contacts. Raises StoreUnavailable."""
    with store_errors("looking for re-folds"):
        records = await executor.fetch(_OF, list(contact_ids))
    return RefoldRow.rows(records)


async def write_refolds(connection: Connection, rows: Sequence[RefoldRow]) -> None:
    """Each takes the place of the one that was there."""
    if rows:
        await connection.execute(_WRITE, *RefoldRow.arrays(rows))


async def delete_refolds(connection: Connection, contact_ids: Sequence[int]) -> None:
    """Nothing is left to do for these contacts."""
    await connection.execute("DELETE FROM refolds WHERE contact_id = ANY ($1::bigint[])", list(contact_ids))


async def lock_next_to_refold(connection: Connection) -> ContactRow | None:
    """The contact that waits longest and that nobody else has locked, locked; its re-fold may have ended just now."""
    rows = ContactRow.rows(await connection.fetch(_LOCK_NEXT))
    return rows[0] if rows else None


async def postpone_refold(executor: Executor, contact_id: int, delay: timedelta) -> None:
    """Nobody takes a step of it for so long. Raises StoreUnavailable."""
    with store_errors("postponing a re-fold"):
        await executor.execute("UPDATE refolds SET due_at = now() + $2 WHERE contact_id = $1", contact_id, delay)

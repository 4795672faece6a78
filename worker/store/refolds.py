"""Contacts whose logs are being folded again in the background. Callers that write have locked the contact's row."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from worker.store.contact_rows import ContactRow
from worker.store.id_array import id_array
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class RefoldRow(Row, frozen=True):
    """The re-fold of one contact, and its progress."""

    contact_id: int
    requested_at: datetime
    policy_id: int  # of the policy under which it is folded again
    policy: int  # a hash of that policy, as in checkpoints
    shape: int
    occurred_at: datetime | None  # of the place reached; None: the beginning of the log
    rank: int | None
    entry_key: bytes | None
    facts: bytes | None  # at that place (worker.policy.facts_encoding); None: no facts there
    late_at: datetime | None  # of the last place that came late; None: the re-fold reads to the end of the log
    late_rank: int | None
    late_key: bytes | None
    provisional: bytes | None  # the facts that count meanwhile beside the contact's own; None: no entry came late


_COLUMNS = RefoldRow.select_list()
_OF = f"SELECT {_COLUMNS} FROM refolds WHERE contact_id = ANY ($1::text::bigint[])"  # noqa: S608 - constants
_WRITE = f"""
    INSERT INTO refolds ({_COLUMNS}) SELECT {_COLUMNS} FROM {RefoldRow.unnest("r")}
    ON CONFLICT (contact_id) DO UPDATE SET {RefoldRow.assignments("excluded", key="contact_id")}
"""  # noqa: S608 - as above
# Locks the contact: a batch with its entries and the process that folds it again wait for each other.
_LOCK_NEXT = f"""
    SELECT {ContactRow.select_list("c")} FROM refolds r JOIN contacts c ON c.id = r.contact_id
     WHERE r.due_at <= now()
     ORDER BY r.due_at, r.contact_id LIMIT 1
       FOR NO KEY UPDATE OF c SKIP LOCKED
"""  # noqa: S608 - as above


async def refold_rows(executor: Executor, contact_ids: Sequence[int]) -> list[RefoldRow]:
    """The re-folds of these contacts. Raises StoreUnavailable."""
    with store_errors("looking for re-folds"):
        records = await executor.fetch(_OF, id_array(contact_ids))
    return RefoldRow.rows(records)


async def write_refolds(connection: Connection, rows: Sequence[RefoldRow]) -> None:
    """Writes the re-folds. Each replaces the contact's former one."""
    if rows:
        await connection.execute(_WRITE, *RefoldRow.arrays(rows))


async def delete_refolds(connection: Connection, contact_ids: Sequence[int]) -> None:
    """Deletes the re-folds of these contacts, which have ended."""
    await connection.execute("DELETE FROM refolds WHERE contact_id = ANY ($1::bigint[])", list(contact_ids))


async def lock_next_to_refold(connection: Connection) -> ContactRow | None:
    """Locks the contact that waits longest of those that nobody else has locked. Its re-fold may have just ended."""
    rows = ContactRow.rows(await connection.fetch(_LOCK_NEXT))
    return rows[0] if rows else None


async def postpone_refold(executor: Executor, contact_id: int, delay: timedelta) -> None:
    """Delays the next step of the contact's re-fold. Raises StoreUnavailable."""
    with store_errors("postponing a re-fold"):
        await executor.execute("UPDATE refolds SET due_at = now() + $2 WHERE contact_id = $1", contact_id, delay)

"""The rows of policies: at most one is pending, and one is active after the first start."""

from collections.abc import Collection
from datetime import datetime

from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class PolicyRow(Row, frozen=True):
    """One policy."""

    id: int
    name: str
    definition: str
    state: str  # pending, active, former
    created_at: datetime
    created_by: str
    activated_at: datetime | None
    activated_by: str | None


_SELECT = f"SELECT {PolicyRow.select_list()} FROM policies"  # noqa: S608 - the column list is made of the names above
_INSERT = NamedStatement(f"""
    INSERT INTO policies (name, definition, state, created_at, created_by)
    VALUES (:name, :definition, 'pending', :now, :by) RETURNING {PolicyRow.select_list()}
""")  # noqa: S608 - as above


async def active_policy_row(executor: Executor) -> PolicyRow | None:
    """The active policy; None before the first start. Raises StoreUnavailable."""
    return await _policy_in(executor, "active")


async def pending_policy_row(executor: Executor) -> PolicyRow | None:
    """The policy that waits to be applied, or None. Raises StoreUnavailable."""
    return await _policy_in(executor, "pending")


async def policy_rows(executor: Executor, ids: Collection[int] | None = None) -> list[PolicyRow]:
    """The policies with these ids, or all, latest first. Raises StoreUnavailable."""
    with store_errors("reading policies"):
        records = await executor.fetch(
            f"{_SELECT} WHERE $1::bigint[] IS NULL OR id = ANY ($1) ORDER BY id DESC",
            None if ids is None else list(ids),
        )
    return PolicyRow.rows(records)


async def lock_policies(connection: Connection) -> None:
    """Keeps others from adding or activating a policy until this transaction ends. Readers do not wait."""
    await connection.execute("LOCK TABLE policies IN SHARE ROW EXCLUSIVE MODE")


async def insert_pending_policy(
    connection: Connection, *, name: str, definition: str, now: datetime, by: str
) -> PolicyRow:
    """Adds a policy under the lock of `lock_policies`. No other may be pending."""
    arguments = _INSERT(name=name, definition=definition, now=now, by=by)
    (row,) = PolicyRow.rows(await connection.fetch(*arguments))
    return row


async def delete_pending_policy(connection: Connection) -> None:
    """Deletes the pending policy. No contact names a policy that was never active."""
    await connection.execute("DELETE FROM policies WHERE state = 'pending'")


async def activate_policy(connection: Connection, policy_id: int, *, now: datetime, by: str) -> None:
    """Makes the pending policy the active one, and the active one a former one."""
    await connection.execute("UPDATE policies SET state = 'former' WHERE state = 'active'")
    await connection.execute(
        "UPDATE policies SET state = 'active', activated_at = $2, activated_by = $3 WHERE id = $1",
        policy_id,
        now,
        by,
    )


async def _policy_in(executor: Executor, state: str) -> PolicyRow | None:
    with store_errors("reading the policy"):
        record = await executor.fetchrow(f"{_SELECT} WHERE state = $1", state)
    return PolicyRow.rows([record])[0] if record is not None else None

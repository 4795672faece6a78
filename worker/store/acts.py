"""Acts: the one command, call, import, job or run of a rule that decisions belong to."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class Act(Row, frozen=True):
    """Who did what, when, and why."""

    account: str | None  # None: it is not about one account
    token_id: int | None  # of the API token that was used
    token_name: str | None  # its name at that time
    actor: str  # the name that the history shows
    role: str  # of the actor, at that time
    what: str  # command, call, import, job, rule
    idempotency_key: str | None  # one for each request of its token, or of its actor without one
    request_hash: bytes | None  # of what was asked for
    note: str | None
    proof: Mapping[str, Any] | None
    subject: str | None  # what was done to what, for acts without decisions
    at: datetime


class StoredAct(Act, frozen=True):
    """The same with its id."""

    id: int
    finished_at: datetime | None  # after this, a repeat of it decides nothing


_LOCK_CLASS = 0x626B6163  # first half of the advisory locks of acts; the second is the act's id
_COLUMNS = Act.columns()
_INSERT = f"""
    INSERT INTO acts ({", ".join(_COLUMNS)})
    VALUES ({", ".join(f"${place}" for place in range(1, len(_COLUMNS) + 1))})
    ON CONFLICT (coalesce(token_id, 0), actor, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id
"""  # noqa: S608 - made of the names above
_FIND = f"SELECT {StoredAct.select_list()} FROM acts"  # noqa: S608 - as above
_FIND_BY_KEY = NamedStatement(f"""
    {_FIND} WHERE coalesce(token_id, 0) = coalesce(:token_id::bigint, 0) AND actor = :actor AND idempotency_key = :key
""")


async def insert_act(connection: Connection, act: Act) -> int | None:
    """The act's id; None if its actor used the idempotency key before: `find_act` returns that act.

    Waits for a transaction that is about to use the same key.
    """
    values = [getattr(act, column) for column in _COLUMNS]
    act_id: int | None = await connection.fetchval(_INSERT, *values)
    return act_id


async def find_act(executor: Executor, *, token_id: int | None, actor: str, idempotency_key: str) -> StoredAct | None:
    """The act of the token, or of the actor without one, with this key, or None. Raises StoreUnavailable."""
    with store_errors("looking up an act"):
        records = await executor.fetch(*_FIND_BY_KEY(token_id=token_id, actor=actor, key=idempotency_key))
    return next(iter(StoredAct.rows(records)), None)


async def lock_unfinished_act(connection: Connection, act_id: int) -> bool:
    """True if the act exists and has not ended. Nobody else decides for it until this transaction ends."""
    row = await connection.fetchrow("SELECT finished_at FROM acts WHERE id = $1 FOR NO KEY UPDATE", act_id)
    return row is not None and row["finished_at"] is None


async def forget_idle_act(connection: Connection, act_id: int) -> bool:
    """Deletes the act if it has not ended and made no safelist request; True if so. Call it in a transaction."""
    is_deleted: bool = await connection.fetchval("SELECT forget_idle_act($1)", act_id)
    return is_deleted


@asynccontextmanager
async def claimed_act(connection: Connection, act_id: int) -> AsyncIterator[bool]:
    """True if nobody else is at work on the act; then nobody else is until the end of the block.

    Postgres ends the claim of a killed process.
    """
    lock = (_LOCK_CLASS, act_id & 0x7FFFFFFF)
    try:
        is_claimed: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", *lock)
    except BaseException:
        connection.terminate()  # nobody knows whether Postgres has it: it ends with the session
        raise
    try:
        yield is_claimed
    finally:
        if is_claimed:
            await _end_claim(connection, lock)


async def _end_claim(connection: Connection, lock: tuple[int, int]) -> None:
    """The claim has ended when this returns or raises; with its session, if Postgres did not say so."""
    try:
        await connection.execute("SELECT pg_advisory_unlock($1, $2)", *lock)
    except Exception:  # noqa: BLE001 - the work is done, and whatever was wrong with the session ends with it
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise


async def finish_act(executor: Executor, act_id: int, *, at: datetime) -> None:
    """Marks the act as ended: all its decisions are made. Raises StoreUnavailable."""
    with store_errors("finishing an act"):
        await executor.execute("UPDATE acts SET finished_at = coalesce(finished_at, $2) WHERE id = $1", act_id, at)


async def acts_by_id(executor: Executor, ids: list[int]) -> dict[int, StoredAct]:
    """Each act by its id. Raises StoreUnavailable."""
    with store_errors("reading acts"):
        return {
            act.id: act for act in StoredAct.rows(await executor.fetch(f"{_FIND} WHERE id = ANY ($1::bigint[])", ids))
        }

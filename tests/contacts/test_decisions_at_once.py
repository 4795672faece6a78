"""Decisions that meet others: the same request twice at once, a process that is killed, a deadlock."""

import asyncio
import threading

import asyncpg
import pytest

from tests.contacts.test_decisions import BLOCK, JANE, LIFT, bounced, decide
from tests.waiting import until
from worker.contacts.decisions import CONTACTS_AT_ONCE
from worker.errors import RequestRefused, StoreUnavailable
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool


async def test_while_a_large_request_is_carried_out_the_same_one_is_refused_and_afterwards_answered_alike(
    pool: WriterPool, database_dsn: str
) -> None:
    await bounced(pool)
    addresses = [*(f"user{number}@example.org" for number in range(CONTACTS_AT_ONCE)), JANE]
    refusals: list[RequestRefused] = []

    async def repeat() -> None:
        elsewhere = await open_writer_pool(database_dsn, connections=1, command_timeout_seconds=30)
        try:
            await decide(elsewhere, LIFT, *addresses, idempotency_key="k1")
        except RequestRefused as refused:
            refusals.append(refused)
        finally:
            await elsewhere.close()

    def another_process(done: int, of: int) -> None:
        if done < of:
            thread = threading.Thread(target=lambda: asyncio.run(repeat()))
            thread.start()
            thread.join()

    first = await decide(pool, LIFT, *addresses, idempotency_key="k1", progress=another_process)

    (refused,) = refusals
    assert (refused.kind, refused.http_status) == ("idempotency-key-in-use", 409)
    assert "send this one again after a few seconds" in refused.remedy
    await bounced(pool)
    again = await decide(pool, LIFT, *addresses, idempotency_key="k1")
    assert (first.made, first.skipped, again.made, again.skipped) == (1, 500, 1, 500)
    assert again.repeated


async def test_a_request_whose_process_was_killed_does_not_keep_its_key(pool: WriterPool, database_dsn: str) -> None:
    addresses = [f"user{number}@example.org" for number in range(CONTACTS_AT_ONCE + 1)]
    killed = await open_writer_pool(database_dsn, connections=1, command_timeout_seconds=30)

    def kill(done: int, of: int) -> None:
        if done < of:
            thread = threading.Thread(target=lambda: asyncio.run(end_sessions_with_locks(database_dsn)))
            thread.start()
            thread.join()

    with pytest.raises(StoreUnavailable):
        await decide(killed, BLOCK, *addresses, idempotency_key="k1", progress=kill)
    await killed.close()

    answer = await decide(pool, BLOCK, *addresses, idempotency_key="k1")

    assert (answer.made, answer.repeated) == (CONTACTS_AT_ONCE + 1, True)


async def end_sessions_with_locks(dsn: str) -> None:
    """As Postgres ends the session of a process that was killed."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    await connection.close()


async def test_a_decision_that_meets_a_deadlock_is_made_once_when_the_other_has_given_way(
    pool: WriterPool, database_dsn: str
) -> None:
    addresses = ("a@example.org", "b@example.org")
    await bounced(pool, *addresses)
    await pool.execute(
        "ALTER DATABASE "
        + await pool.fetchval("SELECT quote_ident(current_database())")
        + " SET deadlock_timeout = '50ms'"
    )
    other = await asyncpg.connect(database_dsn)
    await other.execute("SET deadlock_timeout = '10s'")  # so that Postgres ends the decision, and not this one
    deciding = await open_writer_pool(database_dsn, connections=2, command_timeout_seconds=30)
    try:
        holding = other.transaction()
        await holding.start()
        lock = "SELECT FROM contacts WHERE address = $1 FOR UPDATE"
        await other.execute(lock, addresses[1])
        task = asyncio.create_task(decide(deciding, LIFT, *addresses, idempotency_key="k1"))

        async def decision_waits() -> bool:
            return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await until(decision_waits, "the decision waits for the second contact", every_seconds=0.01)
        await other.execute(lock, addresses[0])  # now each waits for the other
        await holding.commit()
        answer = await task
    finally:
        await other.close()
        await deciding.close()

    assert (answer.made, answer.skipped) == (2, 0)
    assert await pool.fetchval("SELECT count(*) FROM entries WHERE act_id IS NOT NULL") == 2

    async def deadlock_is_counted() -> bool:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return bool(await pool.fetchval(deadlocks) == 1)

    await until(deadlock_is_counted, "Postgres has counted the deadlock")

"""Claims of acts: one at a time, and none outlives its block."""

import asyncio
import contextlib

import pytest

from worker.errors import StoreUnavailable
from worker.store.acts import claimed_act
from worker.store.pool import Pool, open_pool
from worker.store.sessions import session

ACT_ID = 5_000_000_007  # more than a lock's number can hold


class FailedAtWorkError(Exception):
    """What the work within a claim may raise."""


async def may_be_claimed(pool: Pool) -> bool:
    async with pool.acquire() as connection, claimed_act(connection, ACT_ID) as is_claimed:
        return is_claimed


async def test_an_act_is_claimed_by_one_session_at_a_time(database_dsn: str, pool: Pool) -> None:
    elsewhere = await open_pool(database_dsn, connections=1, command_timeout_seconds=5)
    try:
        async with pool.acquire() as connection, claimed_act(connection, ACT_ID) as is_claimed:
            assert is_claimed
            assert not await may_be_claimed(elsewhere)
        assert await may_be_claimed(elsewhere)
        assert await may_be_claimed(pool)
    finally:
        await elsewhere.close()


async def test_a_claim_ends_when_the_work_within_it_fails(database_dsn: str, pool: Pool) -> None:
    elsewhere = await open_pool(database_dsn, connections=1, command_timeout_seconds=5)
    try:
        with pytest.raises(FailedAtWorkError):
            async with pool.acquire() as connection, claimed_act(connection, ACT_ID):
                raise FailedAtWorkError
        assert await may_be_claimed(elsewhere)
    finally:
        await elsewhere.close()


async def test_a_claim_ends_when_the_work_within_it_is_cancelled_in_a_statement(database_dsn: str, pool: Pool) -> None:
    elsewhere = await open_pool(database_dsn, connections=1, command_timeout_seconds=5)
    started = asyncio.Event()

    async def work() -> None:
        async with pool.acquire() as connection, claimed_act(connection, ACT_ID):
            started.set()
            await connection.execute("SELECT pg_sleep(30)")

    try:
        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await may_be_claimed(elsewhere)
    finally:
        await elsewhere.close()


async def test_a_claim_that_is_cancelled_before_its_answer_is_left_to_nobody(database_dsn: str) -> None:
    elsewhere = await open_pool(database_dsn, connections=1, command_timeout_seconds=5)
    pool = await open_pool(database_dsn, connections=1, command_timeout_seconds=5)

    async def work() -> None:
        async with pool.acquire() as connection, claimed_act(connection, ACT_ID):
            pass

    try:
        for turns in range(12):  # the answer is on its way in one of them
            task = asyncio.create_task(work())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert await may_be_claimed(elsewhere)
    finally:
        await pool.close()
        await elsewhere.close()


async def test_a_claim_ends_with_a_session_that_postgres_has_ended(database_dsn: str, pool: Pool) -> None:
    elsewhere = await open_pool(database_dsn, connections=1, command_timeout_seconds=5)

    async def work() -> None:
        async with session(pool, "working") as connection, claimed_act(connection, ACT_ID):
            await elsewhere.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await connection.fetchval("SELECT 1")

    try:
        with pytest.raises(StoreUnavailable, match="working"):
            await work()
        assert await may_be_claimed(elsewhere)
        assert await may_be_claimed(pool)
    finally:
        await elsewhere.close()

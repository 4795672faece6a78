"""A turn is one worker's alone, and another's as soon as that one is gone, or says nothing any more."""

import asyncio

import pytest

from tests.waiting import until
from worker.errors import StoreUnavailable
from worker.store import turns
from worker.store.pool import Pool
from worker.store.turns import Turns


async def until_taken(waiting: Turns, name: str) -> None:
    await until(lambda: waiting.take(name), f"the turn {name!r}")


async def test_each_turn_is_one_workers_alone(database_dsn: str) -> None:
    first, second = Turns(database_dsn), Turns(database_dsn)
    assert await first.take("a")
    assert await first.take("a")
    assert not await second.take("a")
    assert await second.take("b")
    assert (first.mine("a"), first.mine("b"), second.mine("a"), second.mine("b")) == (True, False, False, True)

    await first.close()
    assert not first.mine("a")
    await until_taken(second, "a")
    await second.close()


async def test_every_turn_is_lost_with_the_session_and_taken_anew(pool: Pool, database_dsn: str) -> None:
    worker = Turns(database_dsn)
    assert await worker.take("a")
    await pool.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'bouncekeeper turns' AND datname = current_database()"
    )
    await until(lambda: not worker.mine("a"), "the turn to be lost")
    await until_taken(worker, "a")
    await worker.close()


async def test_a_worker_that_says_nothing_loses_its_turns_and_one_that_lives_keeps_them(
    database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "_SILENCE_SECONDS", 1)
    monkeypatch.setattr(turns, "_SIGN_OF_LIFE_SECONDS", 0.1)
    living, hung, other = Turns(database_dsn), Turns(database_dsn), Turns(database_dsn)
    stop = asyncio.Event()
    assert await living.take("of the living")
    assert await hung.take("of the hung")
    keeping = asyncio.create_task(living.keep(stop))

    await until_taken(other, "of the hung")
    assert not hung.mine("of the hung")
    assert living.mine("of the living")
    assert not await other.take("of the living")
    stop.set()
    await keeping
    for each in (living, hung, other):
        await each.close()


async def test_postgres_away_means_later() -> None:
    worker = Turns("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable):
        await worker.take("a")
    assert not worker.mine("a")
    await worker.close()

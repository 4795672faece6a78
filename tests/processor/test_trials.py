"""Which parcels have to be tried alone, and how often."""

from datetime import UTC, datetime, timedelta

import pytest

from worker.errors import StoreUnavailable
from worker.processor.trials import MOST_ATTEMPTS, MOST_ATTEMPTS_TOGETHER, Trials, parcel_hash
from worker.queue.port import Lease
from worker.store.parcel_attempts import forget_attempts
from worker.store.pool import Pool, open_pool


def lease(parcel: bytes, *, delivery_count: int = 1) -> Lease:
    return Lease(tag=hash(parcel), parcel=parcel, delivery_count=delivery_count)


async def test_what_comes_for_the_first_time_is_no_suspect_and_is_not_noted(pool: Pool) -> None:
    trials = Trials(pool)
    fresh = [lease(b"%d" % number, delivery_count=0) for number in range(3)]
    assert await trials.suspects(fresh) == []
    assert await pool.fetchval("SELECT count(*) FROM parcel_attempts") == 0
    await trials.done(fresh)


async def test_what_was_only_lent_again_goes_with_others_once(pool: Pool) -> None:
    first, second = lease(b"first"), lease(b"second")
    assert await Trials(pool).suspects([first, second, lease(b"fresh", delivery_count=0)]) == []
    # That processor died; another one is lent the same.
    assert await Trials(pool).suspects([first, lease(b"third")]) == [first]


async def test_what_is_done_is_no_suspect_when_it_is_lent_once_more(pool: Pool) -> None:
    trials = Trials(pool)
    await trials.suspects([lease(b"x")])
    await trials.done([lease(b"x")])
    assert await Trials(pool).suspects([lease(b"x", delivery_count=2)]) == []


async def test_each_attempt_is_on_record_before_it_is_made_and_they_come_to_an_end(pool: Pool) -> None:
    await Trials(pool).suspects([lease(b"x")])
    for attempt in range(1, MOST_ATTEMPTS_TOGETHER + 1):
        trials = Trials(pool)  # of a processor that is about to die
        assert await trials.suspects([lease(b"x")]) == [lease(b"x")]
        assert await trials.may_try(lease(b"x"))
        assert await pool.fetchval("SELECT attempts FROM parcel_attempts") == attempt
    trials = Trials(pool)
    assert await trials.suspects([lease(b"x")]) == [lease(b"x")]
    assert not await trials.may_try(lease(b"x"))


async def test_then_each_delivery_has_attempts_of_its_own_and_only_the_one_to_blame_uses_them_up(pool: Pool) -> None:
    await Trials(pool).suspects([lease(b"x")])
    for _ in range(MOST_ATTEMPTS):
        trials = Trials(pool)
        await trials.suspects([lease(b"x")])
        assert await trials.may_try_delivery(lease(b"x"), b"sound")
        await trials.delivery_done(lease(b"x"), b"sound")
        assert await trials.may_try_delivery(lease(b"x"), b"deadly")
    trials = Trials(pool)
    await trials.suspects([lease(b"x")])
    assert await trials.may_try_delivery(lease(b"x"), b"sound")
    await trials.delivery_done(lease(b"x"), b"sound")
    assert not await trials.may_try_delivery(lease(b"x"), b"deadly")
    await trials.done([lease(b"x")])
    assert await pool.fetchval("SELECT count(*) FROM parcel_attempts") == 0


async def test_an_attempt_that_ends_in_good_order_is_taken_back(pool: Pool) -> None:
    await Trials(pool).suspects([lease(b"noted before")])
    for _ in range(MOST_ATTEMPTS + 3):
        trials = Trials(pool)
        parcels = [lease(b"noted before"), lease(b"noted now")]
        assert await trials.suspects(parcels) == [lease(b"noted before")]
        assert await trials.may_try(lease(b"noted before"))
        assert await trials.may_try_delivery(lease(b"noted before"), b"a delivery")
        trials.untried(parcels)
        await trials.write()
    assert await pool.fetchval("SELECT array_agg(attempts) FROM parcel_attempts") == [0]


async def test_an_attempt_that_failed_while_others_were_stored_stands(pool: Pool) -> None:
    await Trials(pool).suspects([lease(b"x")])
    trials = Trials(pool)
    await trials.suspects([lease(b"x")])
    assert await trials.may_try(lease(b"x"))
    trials.tried([lease(b"x")])
    trials.all_untried()
    await trials.write()
    assert await pool.fetchval("SELECT attempts FROM parcel_attempts") == 1


async def test_an_attempt_is_counted_though_another_processor_has_struck_the_note_out(pool: Pool) -> None:
    other, trials = Trials(pool), Trials(pool)
    await other.suspects([lease(b"x")])
    await trials.suspects([lease(b"x")])
    other.untried([lease(b"x")])
    await other.write()
    assert await trials.may_try(lease(b"x"))
    assert await pool.fetchval("SELECT attempts FROM parcel_attempts") == 1


async def test_what_could_not_be_stored_though_postgres_answers_is_a_suspect_until_it_is_done(pool: Pool) -> None:
    trials = Trials(pool)
    trials.doubt([parcel_hash(b"x")])
    assert await trials.suspects([lease(b"x"), lease(b"y")]) == [lease(b"x")]
    await trials.done([lease(b"x")])
    assert await trials.suspects([lease(b"x")]) == []


async def test_two_leases_of_the_same_bytes_are_one_parcel(pool: Pool) -> None:
    trials = Trials(pool)
    assert await trials.suspects([lease(b"x"), Lease(tag=1, parcel=b"x", delivery_count=3)]) == []
    await trials.done([lease(b"x")])
    await trials.done([lease(b"x")])
    assert await pool.fetchval("SELECT count(*) FROM parcel_attempts") == 0


async def test_without_postgres_nobody_is_judged(database_dsn: str) -> None:
    away = await open_pool(database_dsn, connections=1, command_timeout_seconds=5, idle_connections=0)
    away.terminate()
    trials = Trials(away)
    assert await trials.suspects([lease(b"fresh", delivery_count=0)]) == []
    with pytest.raises(StoreUnavailable):
        await trials.suspects([lease(b"x")])
    with pytest.raises(StoreUnavailable):
        await trials.write(ask=True)


async def test_what_cannot_be_written_is_written_when_postgres_is_back(database_dsn: str, pool: Pool) -> None:
    other = await open_pool(database_dsn, connections=1, command_timeout_seconds=5)
    trials = Trials(other)
    await trials.suspects([lease(b"done"), lease(b"given back")])
    other.terminate()
    await trials.done([lease(b"done")])
    trials.untried([lease(b"given back")])
    with pytest.raises(StoreUnavailable):
        await trials.write()
    trials._pool = pool
    await trials.write()
    assert await pool.fetchval("SELECT count(*) FROM parcel_attempts") == 0


async def test_notes_of_parcels_that_nobody_has_met_for_a_month_are_forgotten(pool: Pool) -> None:
    await Trials(pool).suspects([lease(b"x")])
    await forget_attempts(pool, now=datetime.now(UTC) + timedelta(days=29))
    assert await pool.fetchval("SELECT count(*) FROM parcel_attempts") == 1
    await forget_attempts(pool, now=datetime.now(UTC) + timedelta(days=31))
    assert await pool.fetchval("SELECT count(*) FROM parcel_attempts") == 0

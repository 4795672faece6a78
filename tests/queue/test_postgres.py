"""What only the queue table can do, or suffer."""

import asyncpg
import pytest

from tests.waiting import until
from worker.errors import ImpossibleSetting, SchemaOutOfDate
from worker.queue.postgres import PostgresReader, PostgresWriter


async def test_a_database_without_the_table_says_to_migrate(postgres_dsn: str) -> None:
    with pytest.raises(SchemaOutOfDate, match="bouncekeeper migrate"):
        await PostgresReader.open(postgres_dsn)
    writer = await PostgresWriter.open(postgres_dsn)
    with pytest.raises(SchemaOutOfDate, match="bouncekeeper migrate"):
        await writer.put(b"x")
    await writer.close()


async def test_a_wrong_password_stops_the_process_without_showing_it(database_dsn: str) -> None:
    head, _, tail = database_dsn.rpartition("@")
    wrong = f"{head.rpartition(':')[0]}:unspeakable@{tail}"
    with pytest.raises(ImpossibleSetting, match="check user, password") as caught:
        await PostgresReader.open(wrong)
    assert "unspeakable" not in str(caught.value)


async def test_a_lease_that_is_over_makes_the_parcel_free_for_others(database_dsn: str) -> None:
    writer = await PostgresWriter.open(database_dsn)
    slow, quick = await PostgresReader.open(database_dsn, lease_seconds=0.5), await PostgresReader.open(database_dsn)
    await writer.put(b"slow work")
    [late] = await slow.take(max_parcels=1, max_wait_seconds=5)
    assert await quick.take(max_parcels=1, max_wait_seconds=0.1) == []
    [again] = await quick.take(max_parcels=1, max_wait_seconds=5)
    assert (again.parcel, again.delivery_count) == (b"slow work", 1)
    await slow.give_back([late])  # no longer its own: passed over
    assert await slow.take(max_parcels=1, max_wait_seconds=0.1) == []
    await quick.give_back([again])
    assert len(await quick.take(max_parcels=1, max_wait_seconds=5)) == 1
    for end in (writer, slow, quick):
        await end.close()


async def test_work_that_took_longer_than_its_lease_is_done_all_the_same(database_dsn: str) -> None:
    writer = await PostgresWriter.open(database_dsn)
    slow, other = [await PostgresReader.open(database_dsn, lease_seconds=0.3) for _ in range(2)]
    await writer.put(b"slow work")
    [late] = await slow.take(max_parcels=1, max_wait_seconds=5)
    assert len(await other.take(max_parcels=1, max_wait_seconds=5)) == 1
    # Readers that are all too slow would else take it from each other until it is given up.
    await slow.acknowledge([late])
    assert await slow.take(max_parcels=1, max_wait_seconds=1) == []
    await writer.close()
    await slow.close()
    await other.close()


async def test_a_session_that_is_cut_off_loses_its_leases_and_takes_them_anew(database_dsn: str) -> None:
    writer, reader = await PostgresWriter.open(database_dsn), await PostgresReader.open(database_dsn)
    await writer.put(b"held")
    [lease] = await reader.take(max_parcels=1, max_wait_seconds=5)
    connection = await asyncpg.connect(database_dsn)
    rows = await connection.fetch(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'bouncekeeper queue reader'"
    )
    ended = [row["pid"] for row in rows]
    gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY($1))"
    await until(lambda: connection.fetchval(gone, ended), "the reader's session to end")
    await connection.close()
    await reader.acknowledge([lease])
    [again] = await reader.take(max_parcels=1, max_wait_seconds=5)
    assert again.parcel == b"held"
    await reader.acknowledge([again])
    assert await reader.depth() == 0
    await reader.close()
    await writer.close()


async def test_a_put_waits_for_the_disk_whatever_the_server_is_set_to(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    database = await connection.fetchval("SELECT current_database()")
    await connection.execute(f'ALTER DATABASE "{database}" SET synchronous_commit = off')
    await connection.close()
    writer = await PostgresWriter.open(database_dsn, connections=1)
    await writer.put(b"x")
    assert await writer._pool.fetchval("SHOW synchronous_commit") == "on"
    await writer.close()


async def test_lending_touches_no_index(database_dsn: str) -> None:
    writer, reader = await PostgresWriter.open(database_dsn), await PostgresReader.open(database_dsn)
    for _ in range(20):
        await writer.put(b"x")
    await reader.take(max_parcels=20, max_wait_seconds=5)
    await reader.close()  # a session tells its statistics when it ends
    connection = await asyncpg.connect(database_dsn)
    updates = (
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
        " WHERE relname = 'parked_deliveries' AND n_tup_upd >= 40"
    )
    row = await until(lambda: connection.fetchrow(updates), "the statistics of 40 updates")
    assert row is not None
    assert row["n_tup_upd"] == row["n_tup_hot_upd"] == 40
    await connection.close()
    await writer.close()

"""With the broker slow, blocked or away, nothing is lost and no request waits long."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.queue.queue_kit import PostgresKit, RabbitMQKit
from tests.waiting import until
from worker.errors import QueueUnavailable
from worker.queue.parking import ParkingWriter
from worker.queue.port import QueueReader
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter

pytestmark = pytest.mark.slow

_PARK_AFTER_SECONDS = 0.4


@pytest.fixture
async def parking_writer(
    stoppable_rabbitmq_kit: RabbitMQKit, stoppable_postgres_kit: PostgresKit
) -> AsyncIterator[ParkingWriter]:
    writer = ParkingWriter(
        await RabbitMQWriter.open(stoppable_rabbitmq_kit.url),
        await PostgresWriter.open(stoppable_postgres_kit.dsn),
        park_after_seconds=_PARK_AFTER_SECONDS,
    )
    yield writer
    await writer.close()


async def _all_of(reader: QueueReader) -> list[bytes]:
    taken: list[bytes] = []
    while leases := await reader.take(max_parcels=100, max_wait_seconds=1):
        taken += [lease.parcel for lease in leases]
        await reader.acknowledge(leases)
    await reader.close()
    return taken


async def _seconds_of(writer: ParkingWriter, parcel: bytes) -> float:
    started = time.monotonic()
    await writer.put(parcel)
    return time.monotonic() - started


async def _put_until_in_broker(writer: ParkingWriter, kit: RabbitMQKit) -> None:
    reader = await RabbitMQReader.open(kit.url)

    async def comes_by_the_broker() -> bool:
        await writer.put(b"probe")
        leases = await reader.take(max_parcels=100, max_wait_seconds=0.2)
        await reader.acknowledge(leases)
        return any(lease.parcel == b"probe" for lease in leases)

    await until(comes_by_the_broker, "the broker to be used again")
    await reader.close()


async def test_a_healthy_broker_gets_everything(
    parking_writer: ParkingWriter, stoppable_rabbitmq_kit: RabbitMQKit, stoppable_postgres_kit: PostgresKit
) -> None:
    await asyncio.gather(*(parking_writer.put(b"%d" % number) for number in range(50)))
    assert len(await _all_of(await RabbitMQReader.open(stoppable_rabbitmq_kit.url))) == 50
    assert await _all_of(await PostgresReader.open(stoppable_postgres_kit.dsn)) == []


async def test_a_killed_broker_sends_parcels_to_postgres_and_is_used_again_when_back(
    parking_writer: ParkingWriter, stoppable_rabbitmq_kit: RabbitMQKit, stoppable_postgres_kit: PostgresKit
) -> None:
    await parking_writer.put(b"before")
    await stoppable_rabbitmq_kit.kill()
    try:
        parcels = {b"%d" % number for number in range(40)}
        await asyncio.gather(*(parking_writer.put(parcel) for parcel in parcels))
        assert await _seconds_of(parking_writer, b"alone") < _PARK_AFTER_SECONDS
        assert parking_writer.available()
        parked = await _all_of(await PostgresReader.open(stoppable_postgres_kit.dsn))
        assert set(parked) == parcels | {b"alone"}
    finally:
        await stoppable_rabbitmq_kit.start()
    await _put_until_in_broker(parking_writer, stoppable_rabbitmq_kit)


async def test_a_broker_that_hangs_holds_up_few_requests_and_those_not_for_long(
    parking_writer: ParkingWriter, stoppable_rabbitmq_kit: RabbitMQKit, stoppable_postgres_kit: PostgresKit
) -> None:
    await parking_writer.put(b"before")
    await stoppable_rabbitmq_kit.broker.pause()
    try:
        assert _PARK_AFTER_SECONDS * 0.9 < await _seconds_of(parking_writer, b"first") < 2
        waits = [await _seconds_of(parking_writer, b"%d" % number) for number in range(100)]
        assert sum(seconds > _PARK_AFTER_SECONDS * 0.9 for seconds in waits) <= 5
        assert max(waits) < 2
    finally:
        await stoppable_rabbitmq_kit.broker.resume()
    await _put_until_in_broker(parking_writer, stoppable_rabbitmq_kit)
    parked = await _all_of(await PostgresReader.open(stoppable_postgres_kit.dsn))
    assert {b"first", *(b"%d" % number for number in range(100))} <= set(parked)


async def test_a_blocked_broker_is_passed_by(
    parking_writer: ParkingWriter, stoppable_rabbitmq_kit: RabbitMQKit, stoppable_postgres_kit: PostgresKit
) -> None:
    await parking_writer.put(b"before")
    await stoppable_rabbitmq_kit.broker.raise_memory_alarm()
    try:
        await parking_writer.put(b"the one that finds out")
        assert await _seconds_of(parking_writer, b"parked") < _PARK_AFTER_SECONDS
    finally:
        await stoppable_rabbitmq_kit.broker.clear_memory_alarm()
    await _put_until_in_broker(parking_writer, stoppable_rabbitmq_kit)
    parked = await _all_of(await PostgresReader.open(stoppable_postgres_kit.dsn))
    assert {b"the one that finds out", b"parked"} <= set(parked)


async def test_with_both_away_the_put_fails_soon_and_works_again_with_either(
    parking_writer: ParkingWriter, stoppable_rabbitmq_kit: RabbitMQKit, stoppable_postgres_kit: PostgresKit
) -> None:
    await stoppable_rabbitmq_kit.kill()
    await stoppable_postgres_kit.kill()
    try:
        started = time.monotonic()
        with pytest.raises(QueueUnavailable, match="Neither the broker"):
            await parking_writer.put(b"nowhere")
        assert time.monotonic() - started < 3
        assert not parking_writer.available()
    finally:
        await stoppable_postgres_kit.start()
    await parking_writer.put(b"parked")
    await stoppable_rabbitmq_kit.start()
    assert b"parked" in await _all_of(await PostgresReader.open(stoppable_postgres_kit.dsn))
    await _put_until_in_broker(parking_writer, stoppable_rabbitmq_kit)


async def test_a_parking_place_that_is_away_leaves_the_broker_in_use(
    parking_writer: ParkingWriter, stoppable_rabbitmq_kit: RabbitMQKit, stoppable_postgres_kit: PostgresKit
) -> None:
    await stoppable_postgres_kit.kill()
    try:
        await parking_writer.put(b"in the broker")
    finally:
        await stoppable_postgres_kit.start()
    assert await _all_of(await RabbitMQReader.open(stoppable_rabbitmq_kit.url)) == [b"in the broker"]

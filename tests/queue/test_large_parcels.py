"""Of large parcels a reader is lent few at a time, whatever waits and in whichever queue; small ones pass them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from schemas.lane import Lane
from tests.queue.queue_kit import RabbitMQKit
from tests.queue.virtual_hosts import BUSY, LANES, QUIET
from tests.waiting import pause
from worker.queue.lent_bytes import MOST_LENT_BYTES, LentBytes, NarrowQueues
from worker.queue.port import Lease, QueueReader
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter

LARGE = 7 * 1024 * 1024
Put = Callable[[bytes, Lane], Awaitable[None]]


def large(number: int) -> bytes:
    return b"%05d" % number + b"x" * LARGE


async def all_there_is(reader: QueueReader, seconds: float = 1.0) -> list[Lease]:
    """What is lent when nothing is settled, after a moment for it to come."""
    leases: list[Lease] = []
    while taken := await reader.take(max_parcels=200, max_wait_seconds=seconds):
        leases += taken
    return leases


def held(leases: list[Lease]) -> int:
    return sum(len(lease.parcel) for lease in leases)


async def drain(reader: QueueReader, count: int) -> list[tuple[Lane, bytes]]:
    """The lane and the beginning of each parcel, in the order in which they came."""
    found: list[tuple[Lane, bytes]] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            leases = await reader.take(max_parcels=1, max_wait_seconds=1)
            found += [(lease.lane, lease.parcel[:5]) for lease in leases]
            await reader.acknowledge(leases)
    return found


class TestRabbitMQ:
    @pytest.mark.slow
    async def test_no_more_is_lent_than_may_be_held_and_none_is_lost_or_lent_twice(self, rabbitmq_url: str) -> None:
        writer, reader = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url)
        for number in range(16):
            await writer.put(large(number), (BUSY, QUIET)[number % 2])
        await reader.follow(LANES)
        leases = await all_there_is(reader)
        assert len(leases) > 1
        assert held(leases) <= MOST_LENT_BYTES
        await writer.put(b"small", QUIET)
        await writer.put(b"small", LANES[2])
        [passes] = await all_there_is(reader)
        assert passes.lane == LANES[2]
        await reader.acknowledge([*leases, passes])
        rest = await drain(reader, 17 - len(leases))
        numbers = Counter([*(lease.parcel[:5] for lease in leases), *(begin for _, begin in rest)])
        assert numbers == Counter([*(b"%05d" % number for number in range(16)), b"small"])
        assert await all_there_is(reader) == []
        await reader.close()
        await writer.close()

    @pytest.mark.slow
    async def test_lanes_of_large_parcels_take_turns(self, rabbitmq_url: str) -> None:
        writer, reader = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url)
        for number in range(16):
            await writer.put(large(number), BUSY)
        await reader.follow([BUSY])
        leases = await all_there_is(reader)
        for number in range(4):
            await writer.put(large(100 + number), QUIET)
        await reader.follow(LANES)
        await reader.acknowledge(leases)
        lanes = [lane for lane, _ in await drain(reader, 20 - len(leases))]
        assert lanes[:12].count(QUIET) == 4
        await reader.close()
        await writer.close()

    async def test_a_lane_whose_parcels_are_small_again_is_lent_many(self, rabbitmq_url: str) -> None:
        writer, reader = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url, prefetch=16)
        for number in range(8):
            await writer.put(large(number), BUSY)
        for _ in range(60):
            await writer.put(b"small", BUSY)
        await reader.follow(LANES)
        leases = await all_there_is(reader)
        assert held(leases) <= MOST_LENT_BYTES
        await reader.acknowledge(leases)
        await drain(reader, 8 + 30 - len(leases))
        assert len(await all_there_is(reader)) == 16
        await reader.close()
        await writer.close()

    @pytest.mark.slow
    async def test_what_was_too_much_goes_back_when_the_reader_is_suspended(self, rabbitmq_url: str) -> None:
        writer, reader = await RabbitMQWriter.open(rabbitmq_url), await RabbitMQReader.open(rabbitmq_url)
        for number in range(12):
            await writer.put(large(number), (BUSY, QUIET)[number % 2])
        await reader.follow(LANES)
        for seconds in (0.0, 0.01, 0.03, 0.1):
            await pause(seconds, "it is suspended at another moment each time")
            await reader.suspend()
            assert await all_there_is(reader, 0.1) == []
            await reader.resume()
        assert {begin for _, begin in await drain(reader, 12)} == {b"%05d" % number for number in range(12)}
        assert await all_there_is(reader) == []
        await reader.close()
        await writer.close()

    @pytest.mark.slow
    async def test_a_lost_connection_leaves_no_lease_behind(self, stoppable_rabbitmq_kit: RabbitMQKit) -> None:
        url = stoppable_rabbitmq_kit.url
        writer, reader = await RabbitMQWriter.open(url), await RabbitMQReader.open(url)
        await reader.follow(LANES)
        for number in range(12):
            await writer.put(large(number), (BUSY, QUIET)[number % 2])
        leases = await all_there_is(reader, 0.2)
        await stoppable_rabbitmq_kit.kill()
        await stoppable_rabbitmq_kit.start()
        await reader.acknowledge(leases)  # void
        found: set[bytes] = set()
        async with asyncio.timeout(60):
            while len(found) < 12:
                try:
                    taken = await reader.take(max_parcels=1, max_wait_seconds=1)
                except Exception:  # noqa: BLE001, S112 - away
                    continue
                found |= {lease.parcel[:5] for lease in taken}
                await reader.acknowledge(taken)
        assert found == {b"%05d" % number for number in range(12)}
        await reader.close()
        await writer.close()


class TestPostgres:
    async def test_no_more_is_lent_than_may_be_held_and_small_ones_pass(self, database_dsn: str) -> None:
        writer, reader = await PostgresWriter.open(database_dsn), await PostgresReader.open(database_dsn)
        for number in range(10):
            await writer.put(large(number), (BUSY, QUIET)[number % 2])
        leases: list[Lease] = []
        while taken := await reader.take(max_parcels=64, max_bytes=1024 * 1024, max_wait_seconds=0.2):
            leases += taken
        assert MOST_LENT_BYTES - LARGE <= held(leases) <= MOST_LENT_BYTES + LARGE
        await writer.put(b"small", QUIET)
        [passes] = await reader.take(max_parcels=64, max_wait_seconds=1)
        assert passes.parcel == b"small"
        await reader.acknowledge([*leases, passes])
        rest = await drain(reader, 10 - len(leases))
        assert len({*(lease.parcel[:5] for lease in leases), *(begin for _, begin in rest)}) == 10
        await reader.close()
        await writer.close()


class TestRoom:
    def test_a_parcel_larger_than_all_room_may_be_held_alone(self) -> None:
        lent = LentBytes()
        assert lent.largest_bytes > MOST_LENT_BYTES * 2
        lent.add(1, MOST_LENT_BYTES * 2)
        assert lent.largest_bytes == 64 * 1024
        assert not lent.has_room
        lent.discard([1, 2])
        assert lent.largest_bytes > MOST_LENT_BYTES
        assert lent.has_room

    @pytest.mark.parametrize(("size", "prefetch"), [(100_000, 16), (1024 * 1024, 4), (15 * 1024 * 1024, 1)])
    def test_the_larger_its_parcels_the_fewer_are_lent_of_a_narrow_queue(self, size: int, prefetch: int) -> None:
        queues = NarrowQueues()
        assert queues.prefetch("a", 16) == 16
        queues.narrow("a", size)
        assert queues.prefetch("a", 16) == prefetch

    def test_a_large_parcel_among_small_ones_keeps_a_queue_narrow(self) -> None:
        queues = NarrowQueues()
        queues.narrow("a", 1024 * 1024)
        assert not any(queues.widens("a", size) for size in [*[10] * 15, 100_000, *[10] * 15])
        assert queues.widens("a", 10)
        assert "a" not in queues

"""What both queues promise, told once."""

import asyncio
import os
import time

import pytest

from tests.queue.queue_kit import Opened
from tests.queue.virtual_hosts import BUSY, QUIET
from tests.waiting import stays, until
from worker.queue.port import Lease, QueueReader

# From then on a quorum queue without a limit of its own gives up what was lent so often.
_LIMIT_OF_RABBITMQ_4 = 20


async def _take_all(reader: QueueReader, count: int, *, at_once: int = 100) -> list[Lease]:
    """That many leases, within bounded time."""
    leases: list[Lease] = []
    deadline = time.monotonic() + 20
    while len(leases) < count and time.monotonic() < deadline:
        leases += await reader.take(max_parcels=min(at_once, count - len(leases)), max_wait_seconds=1)
    assert len(leases) == count
    return leases


async def test_a_parcel_is_taken_once_and_gone_when_acknowledged(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await writer.put(b"one")
    [lease] = await reader.take(max_parcels=10, max_wait_seconds=5)
    assert lease.parcel == b"one"
    assert lease.delivery_count == 0
    assert await reader.take(max_parcels=10, max_wait_seconds=0.1) == []
    await reader.acknowledge([lease])
    await reader.close()
    another = await queue.reader()
    assert await another.take(max_parcels=10, max_wait_seconds=0.3) == []
    assert await another.depth() == 0


async def test_parcels_come_in_the_order_they_were_put(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for number in range(30):
        await writer.put(b"%d" % number)
    leases = await _take_all(reader, 30, at_once=7)
    assert [lease.parcel for lease in leases] == [b"%d" % number for number in range(30)]


async def test_no_more_are_taken_than_asked_for(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await asyncio.gather(*(writer.put(b"x") for _ in range(9)))
    assert len(await reader.take(max_parcels=4, max_wait_seconds=5)) <= 4


async def test_a_parcel_given_back_is_lent_again_and_counted(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await writer.put(b"again")
    for count in range(3):
        [lease] = await reader.take(max_parcels=1, max_wait_seconds=5)
        assert (lease.parcel, lease.delivery_count) == (b"again", count)
        await reader.give_back([lease])


async def test_some_of_a_batch_can_be_acknowledged_and_others_given_back(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for number in range(20):
        await writer.put(b"%d" % number)
    leases = await _take_all(reader, 20)
    await reader.acknowledge(leases[:5] + leases[6:20:2])
    await reader.give_back(leases[5:20:2])
    again = await _take_all(reader, 8)
    assert {lease.parcel for lease in again} == {b"%d" % number for number in range(5, 20, 2)}
    await reader.acknowledge(again)
    assert await reader.take(max_parcels=10, max_wait_seconds=0.2) == []


async def test_closing_a_reader_gives_back_what_it_was_lent(queue: Opened) -> None:
    writer, first = await queue.writer(), await queue.reader()
    for number in range(5):
        await writer.put(b"%d" % number)
    await _take_all(first, 5)
    await first.close()
    second = await queue.reader()
    leases = await _take_all(second, 5)
    assert sorted(lease.parcel for lease in leases) == [b"%d" % number for number in range(5)]
    assert {lease.delivery_count for lease in leases} == {1}


async def test_what_a_killed_reader_held_is_lent_to_others_within_seconds(queue: Opened) -> None:
    writer = await queue.writer()
    for number in range(5):
        await writer.put(b"%d" % number)
    process = queue.kit.start_hanging_reader(5)
    try:
        assert process.stdout is not None
        assert int(await asyncio.to_thread(process.stdout.readline)) == 5
        reader = await queue.reader()
        assert await reader.take(max_parcels=10, max_wait_seconds=0.3) == []
    finally:
        process.kill()
        process.communicate()
    leases = await _take_all(reader, 5)
    assert sorted(lease.parcel for lease in leases) == [b"%d" % number for number in range(5)]


async def test_nothing_is_given_up_however_often_it_is_lent(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await writer.put(b"kept")
    for _ in range(_LIMIT_OF_RABBITMQ_4 + 5):
        await reader.give_back(await reader.take(max_parcels=1, max_wait_seconds=5))
    [lease] = await reader.take(max_parcels=1, max_wait_seconds=5)
    assert (lease.parcel, lease.delivery_count) == (b"kept", _LIMIT_OF_RABBITMQ_4 + 5)


async def test_a_suspended_reader_holds_nothing_and_goes_on_when_it_is_told(queue: Opened) -> None:
    writer, reader, other = await queue.writer(), await queue.reader(), await queue.reader()
    await other.suspend()
    for number in range(5):
        await writer.put(b"%d" % number, BUSY if number % 2 else QUIET)
    held = await _take_all(reader, 2)
    await reader.suspend()

    async def waits() -> bool:
        return await reader.depth() == 5

    await until(waits, "all to wait again")  # a broker counts what comes back a moment later
    await reader.acknowledge(held)  # void
    await other.resume()
    leases = await _take_all(other, 5)
    assert sorted(lease.parcel for lease in leases) == [b"%d" % number for number in range(5)]
    await other.acknowledge(leases)
    await other.suspend()
    await reader.resume()
    await writer.put(b"later", QUIET)
    [lease] = await _take_all(reader, 1)
    assert lease.parcel == b"later"


async def test_two_readers_share_the_parcels_and_none_gets_the_others(queue: Opened) -> None:
    writer = await queue.writer()
    readers = [await queue.reader(), await queue.reader()]
    await asyncio.gather(*(writer.put(b"%d" % number) for number in range(200)))
    taken: list[bytes] = []

    async def work(reader: QueueReader) -> None:
        while leases := await reader.take(max_parcels=8, max_wait_seconds=1):
            taken.extend(lease.parcel for lease in leases)
            await reader.acknowledge(leases)

    await asyncio.gather(*(work(reader) for reader in readers))
    assert sorted(taken) == sorted(b"%d" % number for number in range(200))


async def test_acknowledging_twice_or_after_giving_back_changes_nothing(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await writer.put(b"first")
    await writer.put(b"second")
    first, second = await _take_all(reader, 2)
    await reader.acknowledge([first])
    await reader.acknowledge([first])
    await reader.give_back([second])
    await reader.acknowledge([second])
    [again] = await reader.take(max_parcels=10, max_wait_seconds=5)
    assert again.parcel == b"second"


async def test_leases_of_a_closed_reader_are_void_for_another(queue: Opened) -> None:
    writer, first, second = await queue.writer(), await queue.reader(), await queue.reader()
    await first.close()
    await writer.put(b"kept")
    [held] = await second.take(max_parcels=1, max_wait_seconds=5)
    await first.acknowledge([held])
    await second.close()
    third = await queue.reader()
    [again] = await third.take(max_parcels=1, max_wait_seconds=5)
    assert again.parcel == b"kept"


async def test_a_parcel_of_six_mebibytes_passes_unharmed(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    parcel = os.urandom(6 * 1024 * 1024)
    await writer.put(parcel)
    [lease] = await reader.take(max_parcels=1, max_wait_seconds=10)
    assert lease.parcel == parcel


async def test_many_puts_at_once_all_arrive_once(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await asyncio.gather(*(writer.put(b"%d" % number) for number in range(500)))
    taken: list[bytes] = []
    while len(taken) < 500:
        leases = await reader.take(max_parcels=50, max_wait_seconds=2)
        assert leases
        taken += [lease.parcel for lease in leases]
        await reader.acknowledge(leases)
    assert sorted(taken) == sorted(b"%d" % number for number in range(500))
    assert await reader.take(max_parcels=50, max_wait_seconds=0.2) == []


@pytest.mark.alone
async def test_an_empty_queue_is_waited_for_as_long_as_said(queue: Opened) -> None:
    reader = await queue.reader()
    started = time.monotonic()
    assert await reader.take(max_parcels=1, max_wait_seconds=0.4) == []
    assert 0.35 <= time.monotonic() - started < 1.5


@pytest.mark.alone
async def test_a_waiting_reader_gets_a_new_parcel_at_once(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    waiting = asyncio.create_task(reader.take(max_parcels=1, max_wait_seconds=10))
    await stays(lambda: not waiting.done(), "the reader waits", seconds=0.3)
    await writer.put(b"now")
    started = time.monotonic()
    assert [lease.parcel for lease in await waiting] == [b"now"]
    assert time.monotonic() - started < 0.5


async def test_depth_counts_what_waits(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for _ in range(7):
        await writer.put(b"x")

    async def seven_wait() -> bool:
        return await reader.depth() == 7

    await until(seven_wait, "seven parcels that wait")
    await stays(seven_wait, "what the broker lends ahead counts as well, until it is taken", seconds=0.5)
    leases = await _take_all(reader, 3)
    await reader.acknowledge(leases)
    assert await reader.depth() == 4


async def test_the_same_parcel_put_twice_comes_twice(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await writer.put(b"same")
    await writer.put(b"same")
    assert [lease.parcel for lease in await _take_all(reader, 2)] == [b"same", b"same"]


async def test_closing_a_writer_waits_for_the_puts_under_way(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    puts = [asyncio.create_task(writer.put(b"%d" % number)) for number in range(50)]
    await asyncio.sleep(0)
    await writer.close()
    await asyncio.gather(*puts)
    assert len(await _take_all(reader, 50)) == 50

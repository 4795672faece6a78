"""What both queues promise while their server is away, and when it comes back."""

import asyncio
from collections.abc import Callable

import pytest

from tests.queue.queue_kit import Opened
from tests.waiting import pause, until
from worker.errors import QueueUnavailable
from worker.queue.port import QueueReader, QueueWriter

pytestmark = pytest.mark.slow

_RECOVERY_SECONDS = 30


async def _put_until_taken(writer: QueueWriter, parcel: bytes) -> None:
    async def is_put() -> bool:
        await writer.put(parcel)
        return True

    await until(is_put, "the writer to take a parcel", not_yet=QueueUnavailable)


async def _drain(reader: QueueReader, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    taken: list[bytes] = []

    async def take() -> bool:
        leases = await reader.take(max_parcels=100, max_wait_seconds=0.5)
        taken.extend(lease.parcel for lease in leases)
        await reader.acknowledge(leases)
        return enough(taken)

    await until(take, "enough parcels", not_yet=QueueUnavailable, show=lambda: f"only {taken!r} came")
    return taken


async def test_both_ends_say_so_while_the_server_is_stopped_and_recover_by_themselves(
    stoppable_queue: Opened,
) -> None:
    writer, reader = await stoppable_queue.writer(), await stoppable_queue.reader()
    await writer.put(b"before")
    [held] = await reader.take(max_parcels=1, max_wait_seconds=5)
    await stoppable_queue.kit.stop()
    try:
        with pytest.raises(QueueUnavailable):
            await writer.put(b"lost in time")
        assert not writer.available()
        with pytest.raises(QueueUnavailable):
            await reader.take(max_parcels=1, max_wait_seconds=0.2)
        assert await reader.depth() is None
        await reader.acknowledge([held])  # void, and passed over
    finally:
        await stoppable_queue.kit.start()
    await _put_until_taken(writer, b"after")
    await until(writer.available, "the writer to be available")
    taken = await _drain(reader, lambda parcels: {b"before", b"after"} <= set(parcels))
    assert set(taken) == {b"before", b"after"}


async def test_what_was_confirmed_survives_a_kill_of_the_server(stoppable_queue: Opened) -> None:
    writer, reader = await stoppable_queue.writer(), await stoppable_queue.reader()
    confirmed: set[bytes] = set()
    offered: set[bytes] = set()
    refused: set[int] = set()
    stopping = asyncio.Event()

    async def put_on_and_on(sender: int) -> None:
        number = 0
        while not stopping.is_set():
            parcel = b"%d-%d" % (sender, number)
            number += 1
            offered.add(parcel)
            try:
                await writer.put(parcel)
            except QueueUnavailable:
                refused.add(sender)
                await pause(0.1, "before the next parcel is put")
            else:
                confirmed.add(parcel)

    senders = [asyncio.create_task(put_on_and_on(sender)) for sender in range(8)]
    await until(lambda: len(confirmed) > 100, "a hundred confirmed parcels")
    await stoppable_queue.kit.kill()
    try:
        await until(lambda: len(refused) == len(senders), "every sender to be refused")
        before = len(confirmed)
    finally:
        await stoppable_queue.kit.start()
    await until(lambda: len(confirmed) > before, "more to be confirmed")
    stopping.set()
    await asyncio.gather(*senders)
    taken = await _drain(reader, lambda parcels: confirmed <= set(parcels))
    assert set(taken) <= offered


async def test_ends_opened_while_the_server_is_away_come_alive_with_it(stoppable_queue: Opened) -> None:
    await (await stoppable_queue.writer()).put(b"waiting")
    await stoppable_queue.kit.stop()
    try:
        writer, reader = await stoppable_queue.writer(), await stoppable_queue.reader()
        with pytest.raises(QueueUnavailable):
            await writer.put(b"too early")
        with pytest.raises(QueueUnavailable):
            await reader.take(max_parcels=1, max_wait_seconds=0.1)
    finally:
        await stoppable_queue.kit.start()
    await _put_until_taken(writer, b"in time")
    taken = await _drain(reader, lambda parcels: {b"waiting", b"in time"} <= set(parcels))
    assert set(taken) == {b"waiting", b"in time"}

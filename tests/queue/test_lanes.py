"""No source waits behind another, whichever queue it is."""

import asyncio
import time
from collections import Counter

import pytest

from schemas.lane import Lane
from tests.queue.queue_kit import Opened
from tests.queue.virtual_hosts import BUSY, IMPORT, LANES, QUIET
from tests.waiting import pause, stays, until
from worker.queue.fair_shares import AHEAD_BYTES
from worker.queue.port import Lease, QueueReader, Share


async def _until_waiting(reader: QueueReader, count: int) -> None:
    """So many are at hand, so that what is taken next shows the order and not who was quicker."""

    async def so_many_wait() -> bool:
        return await reader.depth() == count

    await until(so_many_wait, f"{count} parcels that wait")
    await pause(0.5, "the broker lends ahead what it lends, which no count shows")


async def _in_order(reader: QueueReader, count: int, *, share: Share = Share.ANY) -> list[Lease]:
    leases: list[Lease] = []
    while len(leases) < count:
        taken = await reader.take(max_parcels=1, max_wait_seconds=2, share=share)
        assert taken
        leases += taken
    return leases


async def test_a_parcel_is_read_with_the_lane_that_it_was_put_into(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for lane in LANES:
        await writer.put(lane.name.encode(), lane)
    leases = await _in_order(reader, len(LANES))
    assert {lease.parcel: lease.lane for lease in leases} == {lane.name.encode(): lane for lane in LANES}


async def test_a_quiet_source_is_next_whatever_waits_of_a_busy_one(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for number in range(40):
        await writer.put(b"%d" % number, BUSY)
    await writer.put(b"quiet", QUIET)
    await _until_waiting(reader, 41)
    assert b"quiet" in [lease.parcel for lease in await _in_order(reader, 2)]


async def test_parcels_of_one_lane_keep_their_order(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for number in range(10):
        await writer.put(b"busy %d" % number, BUSY)
        await writer.put(b"quiet %d" % number, QUIET)
    leases = await _in_order(reader, 20)
    for lane in (BUSY, QUIET):
        numbers = [int(lease.parcel.split()[1]) for lease in leases if lease.lane == lane]
        assert numbers == list(range(10))


async def test_two_backlogs_are_read_in_equal_shares_of_bytes(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for _ in range(20):
        await writer.put(b"x" * 10_000, BUSY)
    for _ in range(50):
        await writer.put(b"x" * 1_000, QUIET)
    await _until_waiting(reader, 70)
    leases = await _in_order(reader, 33)
    size = Counter[Lane]()
    for lease in leases:
        size[lease.lane] += len(lease.parcel)
    assert abs(size[BUSY] - size[QUIET]) <= 10_000


async def test_shares_are_kept_when_much_is_taken_at_once(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for _ in range(20):
        await writer.put(b"x" * 1_000, BUSY)
    for _ in range(20):
        await writer.put(b"x" * 1_000, QUIET)
    await _until_waiting(reader, 40)
    lanes = Counter(lease.lane for lease in await reader.take(max_parcels=10, max_wait_seconds=2))
    assert lanes == {BUSY: 5, QUIET: 5}


async def test_a_source_saves_up_no_turns_while_it_is_silent(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for _ in range(20):
        await writer.put(b"x", BUSY)
    await reader.acknowledge(await _in_order(reader, 20))
    for lane in (BUSY, QUIET):
        for _ in range(10):
            await writer.put(b"x", lane)
    await _until_waiting(reader, 20)
    lanes = Counter(lease.lane for lease in await _in_order(reader, 10))
    assert lanes == {BUSY: 5, QUIET: 5}


async def test_live_events_pass_an_import_and_the_import_does_not_stand_still(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for _ in range(10):
        await writer.put(b"x" * 1_000, IMPORT)
    for _ in range(40):
        await writer.put(b"x" * 1_000, BUSY)
    await _until_waiting(reader, 50)
    lanes = Counter(lease.lane for lease in await _in_order(reader, 40))
    assert 2 <= lanes[IMPORT] <= 4


async def _firsts(reader: QueueReader) -> list[Lease]:
    leases: list[Lease] = []
    while taken := await reader.take(max_parcels=10, max_wait_seconds=0.3, share=Share.FIRST):
        leases += taken
    return leases


async def test_while_a_lane_is_busy_the_first_parcels_of_the_others_go_ahead(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for number in range(5):
        await writer.put(b"busy %d" % number, BUSY)
    await _until_waiting(reader, 5)
    assert await _firsts(reader) == []  # nobody has to wait for anything
    backlog = await reader.take(max_parcels=2, max_wait_seconds=2, share=Share.REST)

    for number in range(5):
        await writer.put(b"import %d" % number, IMPORT)
        await writer.put(b"quiet %d" % number, QUIET)
    await _until_waiting(reader, 13)
    firsts = await _firsts(reader)
    assert [lease.parcel for lease in firsts] == [b"quiet %d" % number for number in range(5)]
    backlog += await reader.take(max_parcels=20, max_wait_seconds=2, share=Share.REST)
    assert Counter(lease.lane for lease in backlog) == {BUSY: 5, IMPORT: 5}

    # When the backlog is done, the lane is like any other.
    await reader.acknowledge([lease for lease in backlog if lease.lane == BUSY])
    await writer.put(b"busy again", BUSY)
    assert [lease.parcel for lease in await _firsts(reader)] == [b"busy again"]


async def test_only_so_much_of_a_lane_goes_ahead(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    await writer.put(b"busy", BUSY)
    await _in_order(reader, 1, share=Share.REST)
    half = b"x" * (AHEAD_BYTES // 2)
    for _ in range(5):
        await writer.put(half, QUIET)
    await _until_waiting(reader, 5)
    firsts = await _firsts(reader)
    assert len(firsts) == 2
    rest = await reader.take(max_parcels=20, max_wait_seconds=2, share=Share.REST)
    assert len(rest) == 3
    await reader.acknowledge(firsts)
    await writer.put(half, QUIET)
    assert await _firsts(reader) == []  # its own backlog is in work
    await reader.acknowledge(rest)
    assert len(await _firsts(reader)) == 1


@pytest.mark.alone
async def test_a_new_parcel_wakes_those_who_wait_for_its_share_at_once(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    rest, first = (
        asyncio.create_task(reader.take(max_parcels=10, max_wait_seconds=10, share=share))
        for share in (Share.REST, Share.FIRST)
    )
    await stays(lambda: not rest.done() and not first.done(), "both wait", seconds=0.3)
    await writer.put(b"now", BUSY)
    started = time.monotonic()
    assert [lease.parcel for lease in await rest] == [b"now"]
    await writer.put(b"ahead", QUIET)
    assert [lease.parcel for lease in await first] == [b"ahead"]
    assert time.monotonic() - started < 1


async def test_no_more_bytes_are_taken_than_asked_for(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for _ in range(10):
        await writer.put(b"x" * 1_000, BUSY)
    await _until_waiting(reader, 10)
    assert len(await reader.take(max_parcels=10, max_wait_seconds=2, max_bytes=2_500)) == 3
    assert len(await reader.take(max_parcels=10, max_wait_seconds=2, max_bytes=1)) == 1


async def test_depth_is_reported_for_each_lane(queue: Opened) -> None:
    writer, reader = await queue.writer(), await queue.reader()
    for lane, count in ((BUSY, 3), (IMPORT, 2)):
        for _ in range(count):
            await writer.put(b"x", lane)
    await _until_waiting(reader, 5)
    depths = await reader.depths()
    assert depths is not None
    assert {lane: depth for lane, depth in depths.items() if depth} == {BUSY: 3, IMPORT: 2}

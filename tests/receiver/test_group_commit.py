"""Envelopes share parcels and confirms, within bounds, and never each other's bad luck."""

import asyncio

import pytest

from schemas.envelope import decode_parcel
from schemas.lane import SHARED_LANE, Lane
from tests.queue.virtual_hosts import BUSY, QUIET
from tests.receiver.running_receiver import TallyingWriter
from tests.waiting import pause, stays, until
from worker.errors import QueueUnavailable
from worker.queue.port import QueueWriter
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.receiver.group_commit import WORTH_A_MESSAGE_ENVELOPES, GroupCommit


def _group_commit(
    writer: QueueWriter,
    *,
    max_envelopes: int = 256,
    max_bytes: int = 1_000_000,
    in_flight: int = 4,
    answer_timeout_seconds: float = 5.0,
    max_waiting_bytes: int = 10_000_000,
) -> GroupCommit:
    return GroupCommit(
        writer,
        max_envelopes=max_envelopes,
        max_bytes=max_bytes,
        in_flight=in_flight,
        answer_timeout_seconds=answer_timeout_seconds,
        max_waiting_bytes=max_waiting_bytes,
    )


def _sizes(writer: TallyingWriter) -> list[int]:
    return [len(decode_parcel(parcel)) for parcel in writer.parcels]


async def _until_sizes(writer: TallyingWriter, sizes: list[int]) -> None:
    await until(lambda: _sizes(writer) == sizes, f"parcels of {sizes} envelopes", show=lambda: _sizes(writer))


async def _drained(reader: PostgresReader) -> list[bytes]:
    blobs: list[bytes] = []
    while leases := await reader.take(max_parcels=100, max_wait_seconds=0.3):
        blobs += [blob for lease in leases for blob in decode_parcel(lease.parcel)]
        await reader.acknowledge(leases)
    return blobs


async def test_what_one_turn_of_the_loop_brings_travels_together(postgres_writer: TallyingWriter) -> None:
    group_commit = _group_commit(postgres_writer)
    await asyncio.gather(*(group_commit.put(b"%d" % number) for number in range(100)))
    assert _sizes(postgres_writer) == [100]
    assert group_commit.waiting_bytes == 0


async def test_newcomers_gather_while_a_confirm_is_awaited_and_leave_when_they_are_worth_a_message(
    postgres_writer: TallyingWriter,
) -> None:
    group_commit = _group_commit(postgres_writer, in_flight=2)
    postgres_writer.may_confirm.clear()
    puts = [group_commit.put(b"first")]
    await _until_sizes(postgres_writer, [1])
    for _ in range(WORTH_A_MESSAGE_ENVELOPES - 1):
        puts.append(group_commit.put(b"few"))
        await asyncio.sleep(0)
    await stays(lambda: _sizes(postgres_writer) == [1], "the few wait", seconds=0.05)
    puts.append(group_commit.put(b"enough"))
    await _until_sizes(postgres_writer, [1, WORTH_A_MESSAGE_ENVELOPES])
    # Both places are taken: however many come now, they wait.
    puts += [group_commit.put(b"many") for _ in range(3 * WORTH_A_MESSAGE_ENVELOPES)]
    await stays(lambda: len(postgres_writer.parcels) == 2, "the many wait", seconds=0.05)
    postgres_writer.may_confirm.set()
    await asyncio.gather(*puts)
    assert _sizes(postgres_writer) == [1, WORTH_A_MESSAGE_ENVELOPES, 3 * WORTH_A_MESSAGE_ENVELOPES]


async def test_parcels_are_bounded_by_count_and_by_bytes_and_a_giant_travels_alone(
    postgres_writer: TallyingWriter, postgres_reader: PostgresReader
) -> None:
    group_commit = _group_commit(postgres_writer, max_envelopes=10, max_bytes=1000)
    blobs = [b"s" * 10] * 25 + [b"m" * 400] * 5 + [b"g" * 5000] + [b"s" * 10] * 3
    await asyncio.gather(*(group_commit.put(blob) for blob in blobs))
    parcels = [decode_parcel(parcel) for parcel in postgres_writer.parcels]
    assert all(len(parcel) <= 10 for parcel in parcels)
    assert all(len(parcel) == 1 or sum(map(len, parcel)) <= 1000 for parcel in parcels)
    assert [b"g" * 5000] in parcels
    assert sorted(await _drained(postgres_reader)) == sorted(blobs)


async def test_somebody_who_stops_waiting_takes_nobody_along_and_the_envelope_is_queued_all_the_same(
    postgres_writer: TallyingWriter, postgres_reader: PostgresReader
) -> None:
    group_commit = _group_commit(postgres_writer)
    leaver, stayer = group_commit.put(b"leaver"), group_commit.put(b"stayer")
    leaver.cancel()
    await stayer
    assert sorted(await _drained(postgres_reader)) == [b"leaver", b"stayer"]


async def test_a_confirm_that_never_came_makes_the_parcel_be_published_again(
    postgres_writer: TallyingWriter, postgres_reader: PostgresReader
) -> None:
    group_commit = _group_commit(postgres_writer, answer_timeout_seconds=1.0)
    postgres_writer.may_confirm.clear()
    put = group_commit.put(b"twice")
    await _until_sizes(postgres_writer, [1, 1])
    postgres_writer.may_confirm.set()
    await put
    assert await _drained(postgres_reader) == [b"twice", b"twice"]


async def test_without_any_confirm_everybody_is_told_in_time(postgres_writer: TallyingWriter) -> None:
    group_commit = _group_commit(postgres_writer, answer_timeout_seconds=0.6, in_flight=1)
    postgres_writer.may_confirm.clear()
    began = asyncio.get_running_loop().time()
    puts = [group_commit.put(b"a"), group_commit.put(b"b")]
    await pause(0.2, "the third comes later")
    puts.append(group_commit.put(b"late"))
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(result) for result in results] == [QueueUnavailable] * 3
    assert asyncio.get_running_loop().time() - began < 1.5
    assert results[0] is not results[1]
    assert group_commit.waiting_bytes == 0


async def test_a_queue_that_is_away_is_told_to_all_who_wait_and_is_used_again_when_it_is_back(
    absent_postgres_dsn: str, postgres_writer: TallyingWriter
) -> None:
    away = await PostgresWriter.open(absent_postgres_dsn)
    group_commit = _group_commit(away)
    results = await asyncio.gather(*(group_commit.put(b"x") for _ in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [QueueUnavailable] * 5
    await away.close()
    back = _group_commit(postgres_writer)
    await back.put(b"x")


async def test_more_than_memory_allows_is_turned_away_at_once(postgres_writer: TallyingWriter) -> None:
    group_commit = _group_commit(postgres_writer, max_waiting_bytes=1000)
    postgres_writer.may_confirm.clear()
    first = group_commit.put(b"x" * 900)
    with pytest.raises(QueueUnavailable, match="no more fit"):
        await group_commit.put(b"y" * 200)
    postgres_writer.may_confirm.set()
    await first
    await group_commit.put(b"y" * 200)


async def test_no_source_takes_the_memory_of_the_others(postgres_writer: TallyingWriter) -> None:
    group_commit = _group_commit(postgres_writer, max_waiting_bytes=1000)
    postgres_writer.may_confirm.clear()
    busy = [group_commit.put(b"x" * 50, BUSY) for _ in range(20)]
    quiet = group_commit.put(b"y" * 200, QUIET)
    await until(lambda: 8 <= sum(not put.done() for put in busy) <= 10, "eight to ten that still wait")
    assert not quiet.done()
    postgres_writer.may_confirm.set()
    await quiet
    turned_away = [result for result in await asyncio.gather(*busy, return_exceptions=True) if result is not None]
    assert {type(result) for result in turned_away} == {QueueUnavailable}


async def test_a_parcel_holds_webhooks_of_one_source_and_none_waits_for_another(
    postgres_writer: TallyingWriter,
) -> None:
    group_commit = _group_commit(postgres_writer, in_flight=1)
    postgres_writer.may_confirm.clear()
    puts = [group_commit.put(b"first", BUSY)]
    await _until_sizes(postgres_writer, [1])
    puts += [group_commit.put(b"second", BUSY), group_commit.put(b"third", BUSY), group_commit.put(b"quiet", QUIET)]
    await until(lambda: postgres_writer.lanes == [BUSY, QUIET], "the quiet source's parcel")
    await stays(lambda: postgres_writer.lanes == [BUSY, QUIET], "the busy source's next ones wait", seconds=0.05)
    postgres_writer.may_confirm.set()
    await asyncio.gather(*puts)
    assert [
        (lane, decode_parcel(parcel))
        for lane, parcel in zip(postgres_writer.lanes, postgres_writer.parcels, strict=True)
    ] == [(BUSY, [b"first"]), (QUIET, [b"quiet"]), (BUSY, [b"second", b"third"])]


async def test_closing_finishes_what_was_put_and_takes_nothing_more(
    postgres_writer: TallyingWriter, postgres_reader: PostgresReader
) -> None:
    group_commit = _group_commit(postgres_writer, in_flight=1, max_envelopes=2)
    puts = [group_commit.put(b"%d" % number) for number in range(7)]
    await group_commit.close()
    assert all(put.done() and put.exception() is None for put in puts)
    assert sorted(await _drained(postgres_reader)) == [b"%d" % number for number in range(7)]
    with pytest.raises(QueueUnavailable, match="stopping"):
        await group_commit.put(b"late")


class _BrokenWriter:
    """A writer with a mistake in it: what it raises is none of our errors."""

    async def put(self, parcel: bytes, _lane: Lane = SHARED_LANE) -> None:
        raise LookupError(parcel)

    def available(self) -> bool:
        return True

    async def close(self) -> None:
        """Nothing to close."""


async def test_a_mistake_in_a_writer_leaves_nobody_waiting() -> None:
    group_commit = _group_commit(_BrokenWriter())
    with pytest.raises(QueueUnavailable, match="LookupError"):
        await group_commit.put(b"x")
    await group_commit.close()

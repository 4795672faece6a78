"""A request must come at a pace and in a shape that cost no more than it may be worth."""

import asyncio
import json
import time

import pytest

from tests.connections.conftest import Connect, StartPort
from tests.connections.running_port import CHUNKED, HEAD, WHOLE, RunningPort
from tests.waiting import pause, until

ONE_BYTE_CHUNK = b"1\r\nx\r\n"


def cut_off_reasons(text: str) -> list[str]:
    lines = [json.loads(line) for line in text.splitlines() if "connection.cut_off" in line]
    return [line["reason"] for line in lines]


async def processor_seconds_of(port: RunningPort, connect: Connect, wire: bytes) -> float:
    """What this process, which is the server too, spends on sending this until the connection is closed."""
    stranger = await connect(port)
    started = time.process_time()
    assert await stranger.ask(wire) == 400
    return time.process_time() - started


async def test_a_body_in_chunks_of_one_byte_is_cut_off_before_it_costs_much(
    start_port: StartPort, connect: Connect
) -> None:
    port = await start_port()
    one_megabyte = CHUNKED + ONE_BYTE_CHUNK * 1_000_000 + b"0\r\n\r\n"
    assert await processor_seconds_of(port, connect, one_megabyte) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "chunk",
    [ONE_BYTE_CHUNK, b"1;" + b"e" * 200 + b"\r\nx\r\n", b"00000000000001\r\nx\r\n"],
    ids=["one byte", "extensions", "leading zeros"],
)
async def test_a_body_that_is_mostly_framing_is_refused_with_the_remedy(
    chunk: bytes, start_port: StartPort, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    port = await start_port()
    stranger = await connect(port)
    assert await stranger.ask(CHUNKED + chunk * 50_000) == 400
    assert await stranger.is_closed()
    assert cut_off_reasons(capsys.readouterr().err) == ["tiny_chunks"]


@pytest.mark.parametrize(
    ("size", "count"), [(1, 2_000), (96, 20_000), (4096, 300)], ids=["few tiny", "many small", "usual"]
)
async def test_chunks_as_clients_send_them_are_no_trouble(
    size: int, count: int, start_port: StartPort, connect: Connect
) -> None:
    port = await start_port()
    port.app._client_max_size = 16 * 1024 * 1024
    chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
    stranger = await connect(port)
    assert await stranger.ask(CHUNKED + chunk * count + b"0\r\n\r\n") == 200
    assert await stranger.ask(WHOLE) == 200


async def test_a_body_that_comes_byte_by_byte_is_cut_off_after_its_grace(
    start_port: StartPort, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    port = await start_port(body_grace_seconds=0.5, min_body_bytes_per_second=500)
    stranger = await connect(port)
    await stranger.send(HEAD + b"Content-Length: 1000\r\n\r\n")
    started = time.monotonic()
    while stranger.hears_nothing:
        await stranger.send(b"x")
        await pause(0.02, "between two bytes")
    # A byte that meets the closed port takes the answer away before it is read.
    assert await stranger.status() in {408, 0}
    assert 0.5 <= time.monotonic() - started < 3
    assert cut_off_reasons(capsys.readouterr().err) == ["slow_body"]


@pytest.mark.slow
async def test_a_body_that_comes_at_its_rate_may_take_its_time(start_port: StartPort, connect: Connect) -> None:
    port = await start_port(body_grace_seconds=0.3, min_body_bytes_per_second=500)
    stranger = await connect(port)
    await stranger.send(HEAD + b"Content-Length: 10000\r\n\r\n")
    for _ in range(20):
        await stranger.send(b"x" * 500)
        await pause(0.1, "500 bytes in this time are ten times the least rate")
    assert await stranger.status() == 200


async def test_a_head_that_comes_byte_by_byte_is_cut_off_in_time(
    start_port: StartPort, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    port = await start_port(head_timeout_seconds=0.5)
    for wire_before in (b"", WHOLE):
        stranger = await connect(port)
        if wire_before:
            assert await stranger.ask(wire_before) == 200
        for byte in b"POST /echo HTTP/1.1\r\nX: " + b"x" * 200:
            if not stranger.hears_nothing:
                break
            await stranger.send(bytes([byte]))
            await pause(0.02, "between two bytes")
        # A byte that meets the closed port takes the answer away before it is read.
        assert await stranger.status() in {408, 0}
    assert cut_off_reasons(capsys.readouterr().err) == ["slow_head"]


async def test_a_head_in_two_parts_is_read(start_port: StartPort, connect: Connect) -> None:
    port = await start_port()
    for place in range(1, len(WHOLE)):
        stranger = await connect(port)
        await stranger.send(WHOLE[:place])
        await asyncio.sleep(0)
        assert await stranger.ask(WHOLE[place:]) == 200
        await stranger.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(40)), 431),
        (HEAD + b"".join(b"X-%d: x\r\n" % number for number in range(101)) + b"\r\n", 400),
        (HEAD + b"X: " + b"x" * 9000 + b"\r\n\r\n", 400),
        (b"\r\n\r\n" + HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(40)), 431),
    ],
    ids=["more than 32 KiB", "more than 100 fields", "a field of more than 8 KiB", "blank lines before it"],
)
async def test_a_head_that_is_too_large_is_refused(
    head: bytes, status: int, start_port: StartPort, connect: Connect
) -> None:
    port = await start_port()
    stranger = await connect(port)
    assert await stranger.ask(head) == status
    assert await stranger.is_closed()


async def test_a_connection_that_asks_for_nothing_is_closed(start_port: StartPort, connect: Connect) -> None:
    port = await start_port(idle_seconds=0.5)
    silent, after_a_request = await connect(port), await connect(port)
    assert await after_a_request.ask(WHOLE) == 200
    assert await silent.is_closed()
    assert await after_a_request.is_closed()


async def test_requests_behind_one_that_is_not_answered_are_limited(
    start_port: StartPort, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    port = await start_port()
    stranger = await connect(port)
    await stranger.send(b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n")
    await port.until_answering(1)
    # One head without end: aiohttp alone would take a megabyte of it.
    await stranger.send(HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8000) for number in range(40)))
    await until(lambda: "pipelined" in capsys.readouterr().err, "the line that tells of the pipelined head")
    port.may_answer.set()
    assert await stranger.status() == 200
    assert await stranger.is_closed()


async def test_several_requests_at_once_are_answered_in_their_order(start_port: StartPort, connect: Connect) -> None:
    port = await start_port()
    stranger = await connect(port)
    await stranger.send(WHOLE * 100)
    assert [await stranger.status() for _ in range(100)] == [200] * 100


async def test_what_is_no_http_is_answered_and_reported_once(
    start_port: StartPort, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    port = await start_port()
    for _ in range(5):
        assert await (await connect(port)).ask(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n") == 400
        assert await (await connect(port)).ask(b"POST / HTTP/9.9.9\r\n\r\n") == 400
    text = capsys.readouterr().err
    assert cut_off_reasons(text) == ["malformed_http"]
    assert "Traceback" not in text


@pytest.mark.slow
async def test_a_body_that_nobody_read_is_not_parsed_and_its_sender_hears_the_answer(
    start_port: StartPort, connect: Connect
) -> None:
    port = await start_port()
    stranger = await connect(port)
    head = b"POST /nowhere HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    started = time.process_time()
    assert await stranger.ask(head + ONE_BYTE_CHUNK * 300_000) == 404
    assert await stranger.is_closed()
    assert time.process_time() - started < 0.5


async def test_whoever_goes_away_before_his_request_is_handled_leaves_no_traceback(
    start_port: StartPort, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    port = await start_port()
    for _ in range(50):
        stranger = await port.connect()
        await stranger.send(HEAD + b"Content-Length: 100\r\n\r\n")
        await stranger.close()
    assert await (await connect(port)).ask(WHOLE) == 200
    assert "Traceback" not in capsys.readouterr().err

"""However many connect, a genuine caller finds room, and the operator is told."""

import asyncio
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from tests.connections.conftest import Connect, StartPort
from tests.connections.running_port import HEAD, WHOLE, RunningPort
from worker.connections.open_files import OpenFiles
from worker.connections.remote_address import address_block
from worker.settings.tree import ConnectionSettings

SLOW = b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"
_OTHER = "127.0.0.2"
_only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")


def cut_off(reason: str) -> float:
    labels = {"role": "receiver", "reason": reason}
    return REGISTRY.get_sample_value("bouncekeeper_connections_cut_off_total", labels) or 0.0


def open_now() -> float:
    return REGISTRY.get_sample_value("bouncekeeper_connections", {"role": "receiver"}) or 0.0


async def test_the_connection_that_kept_us_waiting_longest_makes_room_for_a_new_one(
    start_port: StartPort, connect: Connect
) -> None:
    port = await start_port(max_open=8, max_per_address=60_000)
    before = cut_off("made_room")
    silent = [await connect(port) for _ in range(4)]  # half of max_open: as many as one address may have
    newest = await connect(port)
    assert await newest.ask(WHOLE) == 200
    assert await silent[0].is_closed()
    assert all(stranger.hears_nothing for stranger in silent[1:])
    assert cut_off("made_room") == before + 1
    assert open_now() == 4


@pytest.mark.parametrize("beginning", [b"", b"POST /ec", HEAD + b"Content-Length: 1000\r\n\r\nx"])
async def test_neither_silence_nor_a_slow_head_nor_a_slow_body_keeps_a_place(
    beginning: bytes, start_port: StartPort, connect: Connect
) -> None:
    port = await start_port(max_open=8)
    slow = []
    for _ in range(30):
        slow.append(await connect(port))
        await slow[-1].send(beginning)
        genuine = await connect(port)
        assert await genuine.ask(WHOLE) == 200
        await genuine.close()
    assert open_now() <= 8


@_only_linux
async def test_one_address_leaves_room_for_others(start_port: StartPort, connect: Connect) -> None:
    port = await start_port(max_open=20, max_per_address=2)
    quiet = await connect(port, address=_OTHER)
    assert await quiet.ask(WHOLE) == 200
    for _ in range(40):
        await connect(port)
    assert open_now() == 3
    assert await quiet.ask(WHOLE) == 200


@_only_linux
async def test_requests_that_are_being_answered_are_never_given_up_and_newcomers_are_told_to_come_again(
    start_port: StartPort, connect: Connect
) -> None:
    port = await start_port(max_open=8)
    before = cut_off("no_room"), cut_off("no_room_for_address")
    at_work = [await connect(port, address=f"127.0.0.{number % 2 + 1}") for number in range(8)]
    for stranger in at_work:
        await stranger.send(SLOW)
    await port.until_answering(8)
    assert await (await connect(port)).status() == 503
    assert await (await connect(port, address="127.0.0.3")).status() == 503
    assert (cut_off("no_room"), cut_off("no_room_for_address")) == (before[0] + 1, before[1] + 1)
    port.may_answer.set()
    assert [await stranger.status() for stranger in at_work] == [200] * 8
    assert await (await connect(port)).ask(WHOLE) == 200


async def test_a_proxy_that_is_trusted_may_have_as_many_as_there_are(start_port: StartPort, connect: Connect) -> None:
    port = await start_port(max_open=8, max_per_address=1, trusted=("127.0.0.1",))
    at_work = [await connect(port) for _ in range(8)]
    for stranger in at_work:
        await stranger.send(SLOW)
    await port.until_answering(8)
    port.may_answer.set()
    assert [await stranger.status() for stranger in at_work] == [200] * 8


async def test_whoever_proved_to_be_genuine_keeps_his_connection_longer(
    start_port: StartPort, connect: Connect
) -> None:
    port = await start_port(max_open=8)
    genuine = await connect(port)
    assert await genuine.ask(WHOLE.replace(b"/echo", b"/proved")) == 200
    for _ in range(30):
        stranger = await connect(port)
        assert await stranger.ask(WHOLE) == 200
    assert await genuine.ask(WHOLE) == 200


async def test_many_connections_at_once_all_get_their_turn(start_port: StartPort, connect: Connect) -> None:
    port = await start_port()
    strangers = await asyncio.gather(*(connect(port) for _ in range(300)))
    assert await asyncio.gather(*(stranger.ask(WHOLE) for stranger in strangers)) == [200] * 300
    assert open_now() == 300


async def test_a_flood_is_reported_in_one_line_and_counted_in_a_metric(
    start_port: StartPort, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    port = await start_port(max_open=8)
    before = cut_off("made_room")
    for _ in range(50):
        await connect(port)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "connection.cut_off" in line]
    assert [(line["reason"], line["role"], line["count"], line["remote_address"]) for line in lines] == [
        ("made_room", "receiver", 1, "127.0.0.1")
    ]
    assert "connections.max_per_address" in lines[0]["detail"]
    assert cut_off("made_room") == before + 46


async def test_a_port_that_is_closed_ends_silent_connections_at_once() -> None:
    async with RunningPort.start(ConnectionSettings()) as port:
        silent = await port.connect()
        asked = await port.connect()
        assert await asked.ask(WHOLE) == 200
    assert await silent.is_closed()
    assert await asked.is_closed()
    await silent.close()
    await asked.close()


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_caller_is_an_address_or_the_network_that_an_ipv6_caller_has(address: str, block: str) -> None:
    assert address_block(address) == block


@pytest.mark.parametrize(("limit", "for_connections"), [(64, 48), (256, 192), (1024, 768), (65_536, 65_280)])
def test_some_open_files_are_kept_for_broker_database_and_logs(limit: int, for_connections: int) -> None:
    assert OpenFiles(limit).for_connections == for_connections


_PROGRAM = textwrap.dedent("""
    import resource
    from worker.connections.open_files import open_files
    print(open_files().limit, *resource.getrlimit(resource.RLIMIT_NOFILE))
""")


@pytest.mark.parametrize(
    ("limits", "printed"),
    [("ulimit -Sn 256 && ulimit -Hn 900", "900 900 900"), ("ulimit -n 512", "512 512 512")],
    ids=["the soft one is lower", "both are low"],
)
def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be(limits: str, printed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'{limits} && exec "$0" -c "$1"', sys.executable, _PROGRAM],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == printed

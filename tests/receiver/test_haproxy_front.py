"""Through the front that is shipped, nobody chooses the address that a source's allowed_addresses are asked about."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest

from schemas.source import Secret
from tests.receiver.conftest import Start
from tests.receiver.haproxy_front import HaproxyFront, has_ipv6_loopback
from tests.receiver.running_receiver import TallyingWriter, bounce, now
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.samples.postmark import PostmarkSamples
from worker.settings.tree import ReceiverSettings, UnsubscribeSettings

_SENDER = PostmarkSamples()
_FRONT = "127.0.0.1"
# On Linux all of 127.0.0.0/8 is this machine: callers have another address than the front.
_CALLER = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
_FORGED = "203.0.113.7"
_FORGERIES: Mapping[str, Sequence[tuple[str, str]]] = {
    "nothing": [],
    "a line": [("X-Forwarded-For", _FORGED)],
    "two lines": [("X-Forwarded-For", _FORGED), ("X-Forwarded-For", "203.0.113.8")],
    "a list": [("x-forwarded-for", f"{_FORGED}, 203.0.113.8")],
    "a list that ends in the front": [("X-Forwarded-For", f"{_FORGED}, {_FRONT}")],
    "a blank line below": [("X-Forwarded-For", _FORGED), ("X-Forwarded-For", "")],
    "IPv6": [("X-Forwarded-For", "2001:db8::7")],
    "IPv4 within IPv6": [("X-Forwarded-For", f"::ffff:{_FORGED}")],
    "a header for hops": [("X-Forwarded-For", _FORGED), ("Connection", "close, X-Forwarded-For")],
    "the header taken away": [("Connection", "close, x-forwarded-for")],
    "other headers": [
        ("Forwarded", f"for={_FORGED}"),
        ("X-Real-IP", _FORGED),
        ("X-Forwarded", _FORGED),
        ("X-Forwarded-Host", _FORGED),
    ],
}

_families = pytest.mark.parametrize(
    ("host", "caller"),
    [
        pytest.param("127.0.0.1", _CALLER, id="IPv4"),
        pytest.param(
            "::1",
            "::1",
            id="IPv6",
            marks=pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no ::1 to call from"),
        ),
    ],
)


async def _status(front: HaproxyFront, host: str, caller: str, path: str, headers: Sequence[tuple[str, str]]) -> int:
    """The answer to a webhook whose sender has this address and sends these headers besides."""
    [webhook] = _SENDER.requests([bounce()], now=now())
    connector = aiohttp.TCPConnector(local_addr=(caller, 0), force_close=True)
    url = f"http://[{host}]:{front.port}{path}" if ":" in host else f"http://{host}:{front.port}{path}"
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.post(url, data=webhook.body, headers=[*webhook.headers.items(), *headers]) as answer,
    ):
        return answer.status


@_families
async def test_the_callers_own_address_counts_whatever_he_says(
    host: str, caller: str, start_receiver: Start, postgres_writer: TallyingWriter, tmp_path: Path
) -> None:
    allowed = {
        "forged": ("203.0.113.0/24", "2001:db8::/32"),
        "front": (_FRONT,),
        "caller": (caller,),
    }
    source = _SENDER.source("main")
    receiver = await start_receiver(
        sources=[
            msgspec.structs.replace(source, name=name, allowed_addresses=those) for name, those in allowed.items()
        ],
        writer=postgres_writer,
        settings=ReceiverSettings(trusted_proxies=(_FRONT,)),
    )
    async with await HaproxyFront.start(tmp_path, receiver.port) as front:
        statuses = {
            forgery: [await _status(front, host, caller, f"/webhooks/{name}", headers) for name in allowed]
            for forgery, headers in _FORGERIES.items()
        }
    assert statuses == {forgery: [403, 200 if caller == _FRONT else 403, 200] for forgery in _FORGERIES}


async def test_a_caller_whose_address_is_itself_trusted_is_not_believed_either(
    start_receiver: Start, postgres_writer: TallyingWriter, tmp_path: Path
) -> None:
    """As with a whole private network in trusted_proxies, where a bridge's gateway speaks for everybody."""
    source = msgspec.structs.replace(_SENDER.source("main"), allowed_addresses=(_FORGED,))
    receiver = await start_receiver(
        sources=[source], writer=postgres_writer, settings=ReceiverSettings(trusted_proxies=("127.0.0.0/8",))
    )
    async with await HaproxyFront.start(tmp_path, receiver.port) as front:
        status = await _status(front, _FRONT, _CALLER, "/webhooks/main", [("X-Forwarded-For", _FORGED)])
    assert status == 403


async def test_what_is_no_webhook_does_not_get_through(
    start_receiver: Start, postgres_writer: TallyingWriter, tmp_path: Path
) -> None:
    receiver = await start_receiver(sources=[_SENDER.source("main")], writer=postgres_writer)
    async with await HaproxyFront.start(tmp_path, receiver.port) as front:
        for path in ("/metrics", "/readyz", "/webhooks/../metrics", "//metrics"):
            answer = await _raw(front, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 404"), path


async def test_unsubscribe_links_get_through(
    start_receiver: Start, postgres_writer: TallyingWriter, tmp_path: Path
) -> None:
    secrets = (Secret("0123456789abcdef0123456789abcdef"),)
    token = UnsubscribeKeys(secrets).make(UnsubscribeLink(address="jane@example.org"))
    receiver = await start_receiver(
        sources=[], writer=postgres_writer, unsubscribe=UnsubscribeSettings(secrets=secrets)
    )
    async with await HaproxyFront.start(tmp_path, receiver.port) as front:
        answer = await _raw(front, f"GET /u/{token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200")


async def test_one_address_cannot_take_all_connections_of_the_front(
    start_receiver: Start, postgres_writer: TallyingWriter, tmp_path: Path
) -> None:
    receiver = await start_receiver(sources=[_SENDER.source("main")], writer=postgres_writer)
    async with await HaproxyFront.start(tmp_path, receiver.port, connections_per_address=4) as front:
        async with contextlib.AsyncExitStack() as held:
            turned_away = [await _is_turned_away(front, held) for _ in range(10)]
            assert turned_away.count(True) >= 6
            if sys.platform == "linux":
                assert await _status(front, _FRONT, _CALLER, "/webhooks/main", []) == 200
        assert await _status(front, _FRONT, _FRONT, "/webhooks/main", []) == 200


@asynccontextmanager
async def _connected(front: HaproxyFront) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(_FRONT, front.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _is_turned_away(front: HaproxyFront, held: contextlib.AsyncExitStack) -> bool:
    """Opens one more connection, which stays open where the front lets it."""
    try:
        reader, _ = await held.enter_async_context(_connected(front))
        return await asyncio.wait_for(reader.read(), timeout=0.3) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def _raw(front: HaproxyFront, wire: bytes) -> bytes:
    async with _connected(front) as (reader, writer):
        writer.write(wire)
        return await asyncio.wait_for(reader.read(), timeout=5)

"""Which receivers the shipped front knows, and what it says while it knows none."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from tests.docs.pages import REPOSITORY
from tests.receiver.haproxy_front import HaproxyFront
from tests.receiver.replica_dns import replica_dns
from tests.waiting import until
from worker.local_services.process import free_port

_ENOUGH_SECONDS = 30.0
_RECEIVERS = 7


@asynccontextmanager
async def _receiver(address: str, port: int) -> AsyncIterator[None]:
    """Ready, and says its address to every webhook."""
    app = web.Application()

    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    async def webhook(_request: web.Request) -> web.Response:
        return web.Response(text=address)

    app.router.add_get("/readyz", ready)
    app.router.add_post("/webhooks/main", webhook)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield
    finally:
        await runner.cleanup()


async def _health_check(front: HaproxyFront) -> int:
    """The exit status of the very check of docker-compose.yml."""
    test = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]["front"]["healthcheck"]["test"]
    assert test[0] == "CMD"
    assert test[-1] == "8024"
    words = [*(word.replace("$$", "$") for word in test[1:-1]), str(front.health_port)]
    check = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(check.wait(), timeout=10)


async def _post(client: aiohttp.ClientSession, front: HaproxyFront) -> tuple[int, str, str | None]:
    async with client.post(f"http://127.0.0.1:{front.port}/webhooks/main", data=b"[]") as answer:
        return answer.status, await answer.text(), answer.headers.get("Retry-After")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
async def test_every_receiver_that_the_dns_tells_gets_requests_and_the_front_is_healthy_only_with_one(
    tmp_path: Path,
) -> None:
    port = free_port()
    addresses = [f"127.0.0.{number}" for number in range(11, 11 + _RECEIVERS)]
    async with (
        AsyncExitStack() as receivers,
        replica_dns() as (dns, dns_port),
        aiohttp.ClientSession() as client,
        await HaproxyFront.start(tmp_path, port, dns_port=dns_port) as front,
    ):
        assert await _health_check(front) != 0
        for address in addresses:
            await receivers.enter_async_context(_receiver(address, port))
        dns.addresses = addresses
        answered: Counter[str] = Counter()

        async def all_have_answered() -> bool:
            status, text, _ = await _post(client, front)
            answered[text if status == 200 else str(status)] += 1
            return set(addresses) <= set(answered)

        await until(all_have_answered, "every receiver to get a request", seconds=_ENOUGH_SECONDS)
        assert await _health_check(front) == 0
        await receivers.aclose()

        async def is_unhealthy() -> bool:
            return await _health_check(front) != 0

        await until(is_unhealthy, "the front to miss its receivers", seconds=_ENOUGH_SECONDS)


async def test_without_a_receiver_it_asks_for_the_webhook_again(tmp_path: Path) -> None:
    async with await HaproxyFront.start(tmp_path, free_port()) as front, aiohttp.ClientSession() as client:
        status, text, retry_after = await _post(client, front)
    assert (status, retry_after) == (503, "10")
    assert "send it again" in text


async def test_who_sends_the_head_of_a_request_slowly_is_let_go(tmp_path: Path) -> None:
    async with await HaproxyFront.start(tmp_path, free_port(), head_seconds=1) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
        writer.write(b"POST /webhooks/main HTTP/1.1\r\nHost: x\r\n")
        answer = await asyncio.wait_for(reader.read(), timeout=10)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408")

"""A receiver and a processor stay under 300 MB, whatever is posted within the limits of a body."""

import asyncio
import gzip
import io
import os
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest

from tests.benchmarks.servers import Server, our_command, stop_all
from tests.faults.attack_bodies import JSON_VALUES, MAILS, MULTIPARTS
from tests.providers.sample_events import NOW, sample
from tests.waiting import pause, until
from worker.local_services.process import free_port
from worker.providers.webhook_request import WebhookRequest
from worker.receiver.content_coding import MAX_RATIO
from worker.samples.registry import SAMPLE_SENDERS
from worker.settings.sources import write_source

MOST_MIB = 300 * 1000 * 1000 / 1024 / 1024
LARGEST = 15 * 1024 * 1024
LEFT = "SELECT count(*) FROM parked_deliveries"
AT_ONCE = 4
PROVIDERS = {
    "scripts": "bouncekeeper",
    "sparkpost": "sparkpost",
    "postmark": "postmark",
    "mail": "mail",
    "inbound": "sendgrid_inbound",
}
SETTLED_SECONDS = 120.0


def blanks(count: int) -> bytes:
    """White space that hardly shrinks, so that the rest may expand as far as the limits allow."""
    return bytes(b" \t\r\n"[byte % 4] for byte in os.urandom(count))


def bodies(requests: dict[str, WebhookRequest]) -> list[tuple[str, str, bytes]]:
    """Source, content type, body."""
    room = LARGEST - LARGEST * 3 // MAX_RATIO
    found: list[tuple[str, str, bytes]] = []
    for what in ("zeros", "empty lists", "empty objects", "many keys", "a text with an emoji", "deep in parts"):
        value = JSON_VALUES[what](room - 2_000)
        found += [(name, "application/json", value) for name in ("scripts", "sparkpost")]
        found += [("postmark", "application/json", b'{"zz":' + value + b"," + requests["postmark"].body[1:])]
    element = requests["sparkpost"].body.strip()[1:-1]
    found.append(
        ("sparkpost", "application/json", b"[" + (element + b",") * (room // (len(element) + 1)) + element + b"]")
    )
    line = b'{"event":"opened","address":"jane@example.org"}'
    found.append(("scripts", "application/json", b"[" + (line + b",") * 99_999 + line + b"]"))
    found.append(("scripts", "application/json", (line + b"\n") * 99_999))
    found += [("mail", "message/rfc822", make(room)) for make in MAILS.values()]
    found += [("inbound", "multipart/form-data; boundary=xYzZy", make(room)) for make in MULTIPARTS.values()]
    return found


@pytest.mark.drill
@pytest.mark.slow
async def test_neither_receiver_nor_processor_takes_more_than_300_mb(database_dsn: str, tmp_path: Path) -> None:
    senders = {name: SAMPLE_SENDERS[provider]() for name, provider in PROVIDERS.items()}
    requests = {name: sender.requests([sample()], now=NOW)[0] for name, sender in senders.items()}
    # Own JSON is signed with its body; the others show what proves them in the head.
    sources = [
        msgspec.structs.replace(sender.source(name), authentication="none", secrets=())
        if name == "scripts"
        else sender.source(name)
        for name, sender in senders.items()
    ]
    config, port = tmp_path / "bouncekeeper.toml", free_port()
    tables = "\n".join(write_source(source) for source in sources)
    config.touch(mode=0o600)
    config.write_text(
        f'data_directory = "{tmp_path}/data"\n[postgres]\nurl = "{database_dsn}"\n[queue]\nadapter = "postgres"\n'
        f"[receiver]\nport = {port}\n{tables}"
    )
    servers = [
        await Server.start("receiver", our_command("receiver", config), folder=tmp_path, ports=[port]),
        await Server.start(
            "processor", our_command("processor", config), folder=tmp_path, ready_text="process.started"
        ),
    ]
    statuses: list[int] = []
    slots = asyncio.Semaphore(AT_ONCE)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:

            async def post(name: str, content_type: str, body: bytes) -> None:
                async with slots:
                    wire = await asyncio.to_thread(gzip.compress, body + blanks(LARGEST * 3 // MAX_RATIO), 1)
                    headers = {**requests[name].headers, "content-type": content_type, "content-encoding": "gzip"}
                    for _ in range(20):
                        async with client.post(f"/webhooks/{name}", data=io.BytesIO(wire), headers=headers) as answer:
                            status = answer.status
                        if status != 503:
                            break
                        await pause(1, "a sender tries again later")
                    statuses.append(status)

            await asyncio.gather(*(post(*attack) for attack in bodies(requests)))
        connection = await asyncpg.connect(database_dsn)

        async def is_settled() -> bool:
            return not await connection.fetchval(LEFT)

        await until(is_settled, "an empty queue", seconds=SETTLED_SECONDS, every_seconds=0.5)
        await connection.close()
        peaks = {server.name: server.peak_memory_mib() for server in servers}
    finally:
        await stop_all(servers)
    print(peaks, sorted((status, statuses.count(status)) for status in set(statuses)))
    assert statuses.count(200) > len(statuses) / 3
    assert max(peaks.values()) < MOST_MIB, peaks


@pytest.mark.drill
@pytest.mark.slow
@pytest.mark.parametrize("folded", [False, True], ids=["plain", "compressed"])
async def test_a_receiver_that_is_sent_many_large_bodies_at_once_makes_them_wait(
    database_dsn: str, tmp_path: Path, *, folded: bool
) -> None:
    """Own JSON is parsed by the receiver, which answers for each event."""
    source = msgspec.structs.replace(
        SAMPLE_SENDERS["bouncekeeper"]().source("scripts"), authentication="none", secrets=()
    )
    config, port = tmp_path / "bouncekeeper.toml", free_port()
    config.touch(mode=0o600)
    config.write_text(
        f'data_directory = "{tmp_path}/data"\n[postgres]\nurl = "{database_dsn}"\n[queue]\nadapter = "postgres"\n'
        f"[receiver]\nport = {port}\n{write_source(source)}"
    )
    event = b'{"event":"opened","address":"jane@example.org","id":"%d"}'
    events = b"[" + b",".join(event % number for number in range(80_000)) + b"]"
    body = gzip.compress(events + blanks(LARGEST - len(events)), 1) if folded else events
    receiver = await Server.start("receiver", our_command("receiver", config), folder=tmp_path, ports=[port])
    statuses: list[int] = []
    headers = {"content-type": "application/json", **({"content-encoding": "gzip"} if folded else {})}
    try:
        async with aiohttp.ClientSession(
            f"http://127.0.0.1:{port}", connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(300)
        ) as client:

            async def post() -> None:
                async with client.post("/webhooks/scripts", data=io.BytesIO(body), headers=headers) as answer:
                    await answer.read()
                statuses.append(answer.status)

            await asyncio.gather(*(post() for _ in range(40)))
        peak = receiver.peak_memory_mib()
    finally:
        await stop_all([receiver])
    print(peak, len(body), sorted((status, statuses.count(status)) for status in set(statuses)))
    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    assert peak < MOST_MIB

"""A real API process that is asked far more at once than it can answer keeps within its memory and says so."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector

from tests.api.conftest import TOKEN
from tests.benchmarks.machine import peak_memory_mib
from tests.benchmarks.servers import Server
from tests.schemas.feedback_events import START
from worker.local_services.process import free_port
from worker.store.pool import Pool

MOST_MIB = 200  # 860 without a bound
QUESTIONS = 200
ADDRESSES = [f"recipient-{number:05}@customer.example.org" for number in range(10_000)]
KNOWN = """
    INSERT INTO contacts (account, channel, address, first_seen_at, status, blocks, status_since, cause, rule, lift_by)
    SELECT 'default', 'email', address, now(), 'blocklisted', 'all', now(), 'mailbox_does_not_exist', 'bad_mailbox',
           '{admin,confirmed_optin}'
      FROM unnest($1::text[]) address
"""
MANY_EVENTS = """
    INSERT INTO calm_events (occurred_at, entry_key, contact_id, rank, reader_version, machine, received_at,
                             delivery_id, diagnostic, raw, beside)
    SELECT $1::timestamptz + n * interval '1 second', uuid_send(gen_random_uuid()), contacts.id, 70, 1, false, now(),
           gen_random_uuid(), repeat('x', 200), NULL,
           '{"cause": "none", "provider": "postmark", "source": "postmark", "vendor_event": "Open"}'
      FROM contacts, generate_series(1, 200000) n
"""


@pytest.fixture
async def api(database_dsn: str, tmp_path: Path) -> AsyncIterator[tuple[Server, str]]:
    """An API as an operator starts it, and where it listens."""
    port = free_port()
    server = await Server.start(
        "api",
        [sys.executable, "-m", "worker", "api"],
        folder=tmp_path,
        ports=[port],
        environment={
            "BOUNCEKEEPER_POSTGRES_URL": database_dsn,
            "BOUNCEKEEPER_QUEUE_ADAPTER": "postgres",
            "BOUNCEKEEPER_API_PORT": str(port),
            "BOUNCEKEEPER_API_TOKENS": TOKEN,
        },
    )
    yield server, f"http://127.0.0.1:{port}"
    await server.stop()


@pytest.mark.slow
async def test_two_hundred_large_questions_at_once_keep_within_the_memory_and_a_small_one_is_answered(
    api: tuple[Server, str], pool: Pool
) -> None:
    await pool.execute(KNOWN, ADDRESSES)
    server, url = api
    large = json.dumps({"addresses": ADDRESSES}).encode()

    async def ask(session: ClientSession, body: bytes) -> int:
        async with session.post("/v1/check", data=body) as response:
            answer = await response.json()
            if response.status == 429:
                assert int(response.headers["Retry-After"]) in range(1, 6)
                assert answer["type"] == "urn:bouncekeeper:problem:too-busy"
            else:
                assert answer["forbidden"] == len(json.loads(body)["addresses"])
            return response.status

    async with ClientSession(
        url,
        headers={"Authorization": f"Bearer {TOKEN}"},
        connector=TCPConnector(limit=0),
        timeout=ClientTimeout(total=100),
    ) as session:
        questions = [asyncio.create_task(ask(session, large)) for _ in range(QUESTIONS)]
        await asyncio.wait(questions, return_when=asyncio.FIRST_COMPLETED)
        small = await ask(session, json.dumps({"addresses": ADDRESSES[:20]}).encode())
        statuses = Counter(await asyncio.gather(*questions))
        async with session.get("/metrics") as response:
            numbers = await response.text()
    peak = peak_memory_mib(server.process.pid)
    assert small == 200
    assert set(statuses) == {200, 429}
    assert peak is not None
    assert peak < MOST_MIB
    assert f'bouncekeeper_api_refused_total{{reason="busy"}} {statuses[429]:.1f}' in numbers
    assert "bouncekeeper_api_bytes_under_way 0.0" in numbers
    lines = server.process.log_path.read_text().splitlines()
    assert len([line for line in lines if "api.overloaded" in line]) in {1, 2}  # once a minute


@pytest.mark.slow
async def test_explanations_of_very_many_events_take_no_more_memory_and_hold_up_nobody(
    api: tuple[Server, str], pool: Pool
) -> None:
    """Ten at once of 20,000 events took 330 MiB more than one."""
    await pool.execute(KNOWN, ["opener@example.org"])
    await pool.execute(MANY_EVENTS, START)
    server, url = api
    headers, timeout = {"Authorization": f"Bearer {TOKEN}"}, ClientTimeout(total=100)

    async def ask(session: ClientSession) -> int:
        async with session.get("/v1/contacts/opener@example.org/explanation") as response:
            assert response.status == 429 or (await response.json())["steps"][0]["counts"] == {"opened": 200_000}
            return response.status

    async with ClientSession(url, headers=headers, timeout=timeout) as session:
        statuses = set(await asyncio.gather(*(ask(session) for _ in range(10))))
    peak = peak_memory_mib(server.process.pid)
    assert 200 in statuses <= {200, 429}
    assert peak is not None
    assert peak < MOST_MIB

"""`POST /v1/check` with 10,000 addresses next to the bare SQL look-up of the same addresses through asyncpg.

The API runs as the process that an operator starts, and is asked over a kept connection by a client that only
reads the bytes: its time holds HTTP, JSON, one spelling for each address, the look-up, and a result for each
address. The look-up is the statement that a person would write, with the columns that the answer needs, on one
connection with a prepared statement; its time ends when asyncpg has made its records. Of the addresses 72 % are
known and free, 18 % known and blocked, 10 % unknown.
"""

import json
import random
import tempfile
import time
from pathlib import Path

import asyncpg
from aiohttp import ClientSession

from tests.benchmarks.servers import Server, our_command, write_config
from worker.local_services.process import free_port

ADDRESSES = 10_000
CONTACTS = 200_000
_TOKEN = "the-token-of-the-benchmark-is-long"
_FILL = """
    INSERT INTO contacts (account, channel, address, status, blocks, status_since, status_until, next_change_at,
        cause, rule, lift_by, first_seen_at, last_delivered_at)
    SELECT 'default', 'email', 'person' || n || '@mail' || (n % 997) || '.example.com',
        CASE WHEN blocked THEN 'blocklisted' ELSE 'active' END, CASE WHEN blocked THEN 'all' ELSE 'none' END,
        CASE WHEN blocked THEN now() - n * interval '1 second' END,
        CASE WHEN held THEN now() + interval '3 days' END, CASE WHEN held THEN now() + interval '3 days' END,
        CASE WHEN blocked THEN 'mailbox_does_not_exist' ELSE 'none' END, CASE WHEN blocked THEN 'gone' END,
        CASE WHEN blocked THEN '{admin,confirmed_optin}'::text[] END, now() - interval '1 year',
        CASE WHEN NOT blocked THEN now() - n * interval '1 second' END
      FROM generate_series(1, $1::bigint) AS n, LATERAL (SELECT n % 5 = 0 AS blocked, n % 10 = 0 AS held) AS kind
"""
_BARE = """
    SELECT address, status, blocks, status_since, status_until, cause, rule, lift_by FROM contacts
     WHERE address = ANY ($1::text[]) AND account = $2 AND channel = $3
"""


async def measure(dsn: str, *, rounds: int = 15) -> tuple[list[float], list[float]]:
    """Milliseconds of the API and of the bare look-up, one figure for each of `rounds` in turns.

    `dsn` leads to a migrated database without contacts.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_FILL, CONTACTS)
        await connection.execute("VACUUM ANALYZE contacts")
        with tempfile.TemporaryDirectory(prefix="bouncekeeper-check-") as folder:
            return await _in_turns(connection, dsn, Path(folder), rounds)
    finally:
        await connection.close()


async def _in_turns(
    connection: "asyncpg.Connection[asyncpg.Record]", dsn: str, folder: Path, rounds: int
) -> tuple[list[float], list[float]]:
    addresses = _addresses()
    body = json.dumps({"addresses": addresses, "mail_class": "marketing"}).encode()
    config, port = folder / "bouncekeeper.toml", free_port()
    write_config(
        config,
        sources=(),
        postgres_url=dsn,
        queue_url="amqp://guest:guest@127.0.0.1:5672/",
        sections={"api": {"port": port}},
    )
    server = await Server.start(
        "api",
        our_command("api", config),
        folder=folder,
        ports=[port],
        environment={"BOUNCEKEEPER_API_TOKENS": _TOKEN},
    )
    try:
        async with ClientSession(f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {_TOKEN}"}) as session:
            bare, api = [], []
            for number in range(rounds + 2):
                bare_seconds = await _ask_postgres(connection, addresses)
                api_seconds = await _ask_api(session, body)
                if number >= 2:  # the first ones warm up
                    bare.append(bare_seconds * 1000)
                    api.append(api_seconds * 1000)
    finally:
        await server.stop()
    return api, bare


def _addresses() -> list[str]:
    numbers = random.Random(7).sample(range(1, CONTACTS + 1), ADDRESSES * 9 // 10)
    known = [f"person{number}@mail{number % 997}.example.com" for number in numbers]
    unknown = [f"stranger{number}@mail.example.net" for number in range(ADDRESSES - len(known))]
    mixed = known + unknown
    random.Random(8).shuffle(mixed)
    return mixed


async def _ask_postgres(connection: "asyncpg.Connection[asyncpg.Record]", addresses: list[str]) -> float:
    started = time.perf_counter()
    records = await connection.fetch(_BARE, addresses, "default", "email")
    seconds = time.perf_counter() - started
    if len(records) != ADDRESSES * 9 // 10:
        raise RuntimeError(f"the look-up found {len(records)} contacts")
    return seconds


async def _ask_api(session: ClientSession, body: bytes) -> float:
    started = time.perf_counter()
    async with session.post("/v1/check", data=body) as response:
        text = await response.read()
        seconds = time.perf_counter() - started
    answer = json.loads(text)
    if response.status != 200 or len(answer["results"]) != ADDRESSES or not 0 < answer["forbidden"] < ADDRESSES:
        raise RuntimeError(f"the API answered {response.status}: {text[:300]!r}")
    return seconds

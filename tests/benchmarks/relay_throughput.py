"""Status changes on their way to the exchange: from the commit that wrote them to the last confirm."""

import asyncio
import time

import aio_pika
import asyncpg
import msgspec

from schemas.queue_topology import CONTACTS_EXCHANGE, status_routing_key
from tests.benchmarks.bare_publisher import confirmed_per_second
from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.servers import Server, our_command, write_config
from worker.store.pool import set_codecs
from worker.store.status_feed import changes_after

_QUEUE = "an-application"
_PATIENCE_SECONDS = 120.0
_APPEND = """
    INSERT INTO status_changes (contact_id, recorded_at, since, old_status, new_status, old_blocks, new_blocks, cause,
        rule, event_key, delivery_id, actor)
    SELECT id, now(), now(), 'active', 'blocklisted', 'none', 'all', 'mailbox_does_not_exist', 'bad_mailbox',
           sha256(address::bytea), gen_random_uuid(), 'events'
      FROM contacts
"""


async def measure(bench: Bench) -> Outcome:
    """A processor with no other work, a quorum queue that takes every message, and the same one by bare sockets."""
    contest = _Contest(bench)
    await contest.prepare()
    try:
        figures = await bench.in_turns("relay", ("ours", contest.relay), ("broker", contest.publish_bare))
    finally:
        await contest.end()
    measurement = Measurement(
        what="relay, status changes per second",
        against="the broker's own rate for the same messages",
        unit="/s",
        ours=figures[0],
        baseline=figures[1],
        goal=Goal(at_least=0.5),
    )
    return Outcome(measurements=[measurement])


class _Contest:
    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._count = bench.size(20_000, 500)
        self._url = ""
        self._dsn = ""
        self._processor: Server | None = None
        self._messages: list[tuple[str, str, bytes]] = []

    async def prepare(self) -> None:
        self._dsn = await self._bench.services.database("bench_relay")
        self._url = (await self._bench.services.rabbitmq()).url
        async with await aio_pika.connect(self._url) as broker:
            channel = await broker.channel()
            exchange = await channel.declare_exchange(CONTACTS_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(exchange, "contact.status.#")
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(
                "INSERT INTO contacts (account, channel, address, first_seen_at)"
                " SELECT 'default', 'email', 'somebody' || n || '@example.org', now() FROM generate_series(1, $1) n",
                self._count,
            )
        finally:
            await connection.close()
        config = self._bench.folder / "relay.toml"
        write_config(
            config,
            sources=[],
            postgres_url=self._dsn,
            queue_url=self._url,
            sections={"processor": {"relay_every_seconds": 0.05}},
        )
        self._processor = await Server.start(
            "relay", our_command("processor", config), folder=self._bench.folder, ready_text="process.started"
        )
        await self.relay()  # warms up, and shows what the messages are
        connection = await asyncpg.connect(self._dsn)
        try:
            await set_codecs(connection)
            changes = await changes_after(connection, "0-0", limit=self._count)
        finally:
            await connection.close()
        self._messages = [
            (status_routing_key(change.new_status), str(change.message_id), msgspec.json.encode(change))
            for change in changes
        ]

    async def relay(self) -> float:
        """Ours: as many changes in one transaction, then the time until each is confirmed and its place kept."""
        connection = await asyncpg.connect(self._dsn)
        try:
            before = await connection.fetchval("SELECT fresh_position FROM feed_followers")
            await connection.execute(_APPEND)
            started = time.monotonic()
            while await connection.fetchval("SELECT fresh_position FROM feed_followers") < before + self._count:
                if time.monotonic() > started + _PATIENCE_SECONDS:
                    raise RuntimeError(f"not all of {self._count} status changes are published in time")
                await asyncio.sleep(0.01)
            seconds = time.monotonic() - started
        finally:
            await connection.close()
        await self._empty_queue()
        return self._count / seconds

    async def publish_bare(self) -> float:
        rate = await asyncio.to_thread(confirmed_per_second, self._url, CONTACTS_EXCHANGE, self._messages)
        await self._empty_queue()
        return rate

    async def end(self) -> None:
        if self._processor is not None:
            await self._processor.stop()
        async with await aio_pika.connect(self._url) as broker:
            channel = await broker.channel()
            await channel.queue_delete(_QUEUE)
        await self._bench.services.drop_database("bench_relay")

    async def _empty_queue(self) -> None:
        """Every message was there: none is told as confirmed that the queue does not have."""
        async with await aio_pika.connect(self._url) as broker:
            channel = await broker.channel()
            queue = await channel.get_queue(_QUEUE)
            purged = await queue.purge()
        if purged.message_count != self._count:
            raise RuntimeError(f"the queue held {purged.message_count} messages instead of {self._count}")

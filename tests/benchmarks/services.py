"""Real services for the benchmarks: one Postgres and one RabbitMQ, started when first asked for."""

from pathlib import Path

import aiormq
import asyncpg

from schemas.envelope import decode_parcel
from worker.commands.support.dictionary_training import store_dictionaries
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq import RabbitMQ
from worker.local_services.rabbitmq_choice import start_rabbitmq
from worker.queue.rabbitmq import RabbitMQReader
from worker.store.migrations import migrate
from worker.store.pool import open_pool

# Everything an event leaves behind is in some table of ours; only the record of migrations stays, and the counters of
# the feed, which never go back.
_TABLES = """
    SELECT quote_ident(relname) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
       AND relname !~ 'yoyo|^status_feed$|^feed_followers$|^words$|^policies$|^kinds$|^dictionaries$'
"""

# Commit times are kept so that "webhook to committed status" can be read off the rows themselves. All else is as
# the product starts it, with every commit flushed to disk; ours and theirs share this one server.
_POSTGRES_SETTINGS = {"track_commit_timestamp": "on"}


class Services:
    """What was started is stopped by `close`, and nothing else is touched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres: EmbeddedPostgres | None = None
        self._rabbitmq: RabbitMQ | None = None

    async def postgres(self) -> EmbeddedPostgres:
        """The one Postgres of all benchmarks and of their peers."""
        if self._postgres is None:
            self._postgres = await EmbeddedPostgres.start(self._folder / "postgres", settings=_POSTGRES_SETTINGS)
        return self._postgres

    async def rabbitmq(self) -> RabbitMQ:
        """The broker: one of our own, or the one that the environment names."""
        if self._rabbitmq is None:
            self._rabbitmq = await start_rabbitmq(self._folder / "rabbitmq")
        return self._rabbitmq

    async def database(self, name: str) -> str:
        """The DSN of an empty database with all tables; made anew when it exists."""
        postgres = await self.postgres()
        connection = await asyncpg.connect(postgres.dsn_of("postgres"))
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        dsn = postgres.dsn_of(name)
        await migrate(dsn)
        pool = await open_pool(dsn, connections=1, command_timeout_seconds=60)
        try:
            await store_dictionaries(pool)
        finally:
            await pool.close()
        return dsn

    async def drop_database(self, name: str) -> None:
        """Gives the disk back."""
        postgres = await self.postgres()
        connection = await asyncpg.connect(postgres.dsn_of("postgres"))
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()

    async def versions(self) -> list[str]:
        """The services that were used, with their versions."""
        lines = []
        if self._postgres is not None:
            connection = await asyncpg.connect(self._postgres.dsn)
            try:
                lines.append(f"PostgreSQL {await connection.fetchval('SHOW server_version')}")
            finally:
                await connection.close()
        if self._rabbitmq is not None:
            lines.append(f"RabbitMQ {await _broker_version(self._rabbitmq.url)}")
        return lines

    async def close(self) -> None:
        """Ends what was started."""
        if self._rabbitmq is not None:
            await self._rabbitmq.close()
        if self._postgres is not None:
            await self._postgres.stop()


async def _broker_version(url: str) -> str:
    connection = await aiormq.connect(url)
    try:
        version = connection.server_properties.get("version", b"of unknown version")
        return version.decode() if isinstance(version, bytes) else str(version)
    finally:
        await connection.close()


async def empty_tables(dsn: str) -> None:
    """No events and no contacts, and nothing left for a checkpoint to write in the middle of a measurement."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = ", ".join(name for (name,) in await connection.fetch(_TABLES))
        await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def drain_webhooks(url: str) -> int:
    """Takes everything off the queue of parcels; says how many webhooks were in it."""
    reader = await RabbitMQReader.open(url, prefetch=256)
    try:
        webhooks = 0
        while leases := await reader.take(max_parcels=256, max_wait_seconds=0.5):
            webhooks += sum(len(decode_parcel(lease.parcel)) for lease in leases)
            await reader.acknowledge(leases)
        return webhooks
    finally:
        await reader.close()

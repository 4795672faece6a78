"""The two queues under one suite: on servers shared by all tests, and on servers that may be taken away."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from tests.queue.queue_kit import Opened, PostgresKit, QueueKit, RabbitMQKit
from tests.queue.virtual_hosts import VirtualHosts
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq import RabbitMQ
from worker.local_services.rabbitmq_choice import start_rabbitmq
from worker.store.migrations import migrate

_QUEUES = ("rabbitmq", "postgres")


@pytest.fixture
async def rabbitmq_kit(rabbitmq_url: str, rabbitmq_server: RabbitMQ) -> RabbitMQKit:
    return RabbitMQKit(rabbitmq_url, rabbitmq_server)


@pytest.fixture
async def postgres_kit(database_dsn: str, postgres_server: EmbeddedPostgres) -> PostgresKit:
    return PostgresKit(database_dsn, postgres_server)


@pytest.fixture(params=_QUEUES)
def queue_kit(request: pytest.FixtureRequest) -> QueueKit:
    """A queue that nobody else uses, empty."""
    kit: QueueKit = request.getfixturevalue(f"{request.param}_kit")
    return kit


@pytest.fixture
async def queue(queue_kit: QueueKit) -> AsyncIterator[Opened]:
    opened = Opened(queue_kit)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
async def own_rabbitmq() -> AsyncIterator[RabbitMQ]:
    """A broker that tests may stop and kill."""
    with TemporaryDirectory(prefix="bouncekeeper-own-rabbitmq-", ignore_cleanup_errors=True) as folder:
        async with await start_rabbitmq(Path(folder), own=True) as rabbitmq:
            yield rabbitmq


@pytest.fixture(scope="session")
async def own_postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres that tests may stop and kill. It does wait for the disk."""
    with TemporaryDirectory(prefix="bouncekeeper-own-postgres-", ignore_cleanup_errors=True) as folder:
        async with await EmbeddedPostgres.start(Path(folder)) as postgres:
            await migrate(postgres.dsn)
            yield postgres


@pytest.fixture(scope="session")
def _own_virtual_hosts(own_rabbitmq: RabbitMQ) -> VirtualHosts:
    return VirtualHosts(own_rabbitmq, needed=4)


@pytest.fixture
async def stoppable_rabbitmq_kit(own_rabbitmq: RabbitMQ, _own_virtual_hosts: VirtualHosts) -> RabbitMQKit:
    return RabbitMQKit(await _own_virtual_hosts.one(declared=True), own_rabbitmq)


@pytest.fixture
async def stoppable_postgres_kit(own_postgres: EmbeddedPostgres) -> PostgresKit:
    connection = await asyncpg.connect(own_postgres.dsn)
    try:
        await connection.execute("TRUNCATE parked_deliveries")
    finally:
        await connection.close()
    return PostgresKit(own_postgres.dsn, own_postgres)


@pytest.fixture(params=_QUEUES)
def stoppable_queue_kit(request: pytest.FixtureRequest) -> QueueKit:
    """A queue whose server may be stopped and killed, running at the test's begin and to be left running."""
    kit: QueueKit = request.getfixturevalue(f"stoppable_{request.param}_kit")
    return kit


@pytest.fixture
async def stoppable_queue(stoppable_queue_kit: QueueKit) -> AsyncIterator[Opened]:
    opened = Opened(stoppable_queue_kit)
    yield opened
    await opened.close()

"""A receiver on a real port in front of a real queue."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.receiver.running_receiver import RunningReceiver, TallyingWriter
from worker.local_services.process import free_port
from worker.process.logs import configure_logging
from worker.queue.postgres import PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter


@pytest.fixture(autouse=True)
def _log_everything(_strict_logging: None) -> None:
    """Every line of the receiver is checked against its declaration, the quiet ones too."""
    configure_logging(level="debug", strict=True)


Start = Callable[..., Awaitable[RunningReceiver]]


@pytest.fixture
async def start_receiver() -> AsyncIterator[Start]:
    """Starts receivers that are stopped after the test."""
    running: list[RunningReceiver] = []

    async def start(**given: object) -> RunningReceiver:
        receiver = await RunningReceiver.start(**given)  # type: ignore[arg-type]
        running.append(receiver)
        return receiver

    yield start
    for receiver in running:
        await receiver.stop()


@pytest.fixture
async def rabbitmq_writer(rabbitmq_url: str) -> AsyncIterator[TallyingWriter]:
    writer = await RabbitMQWriter.open(rabbitmq_url)
    yield TallyingWriter(writer)
    await writer.close()


@pytest.fixture
async def rabbitmq_reader(rabbitmq_url: str) -> AsyncIterator[RabbitMQReader]:
    reader = await RabbitMQReader.open(rabbitmq_url)
    yield reader
    await reader.close()


@pytest.fixture
def postgres_writer(postgres_writer: PostgresWriter) -> TallyingWriter:
    return TallyingWriter(postgres_writer)


@pytest.fixture
def absent_postgres_dsn() -> str:
    """A Postgres where nobody listens."""
    return f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"

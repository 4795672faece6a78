"""What a connection says while there is no broker, and what it leaves when it is closed."""

import asyncio
import json

import pytest

from tests.queue.queue_kit import RabbitMQKit
from tests.waiting import pause
from worker.errors import QueueUnavailable
from worker.local_services.process import free_port
from worker.process.logs import configure_logging
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter


@pytest.mark.usefixtures("_strict_logging")
async def test_a_broker_that_stays_away_is_reported_once_with_the_remedy_and_not_at_each_attempt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(strict=True)
    writer = await RabbitMQWriter.open(f"amqp://nobody:nothing@127.0.0.1:{free_port()}/")
    try:
        await pause(0.8, "three attempts and more")
        with pytest.raises(QueueUnavailable) as told:
            await writer.put(b"parcel")
    finally:
        await writer.close()

    [line] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert line["event"] == "broker.lost"
    assert line["reason"].endswith("start it, or check queue.url.")
    assert line["reason"].count("RabbitMQ at") == str(told.value).count("RabbitMQ at") == 1
    assert "nothing" not in line["reason"]


@pytest.mark.slow
async def test_a_reader_closes_at_once_whatever_it_is_doing(rabbitmq_url: str) -> None:
    for milliseconds in range(0, 240, 8):
        reader = await RabbitMQReader.open(rabbitmq_url)
        reader._connection.give_up("the test says so: it connects anew, which takes a while")
        await pause(milliseconds / 1000, "it gets further and further")
        async with asyncio.timeout(10):
            await reader.close()


@pytest.mark.slow
async def test_a_connection_that_a_frozen_broker_does_not_close_is_closed_to_the_library_too(
    stoppable_rabbitmq_kit: RabbitMQKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the library begins to close it again when its memory is freed, where perhaps no loop runs any more."""
    monkeypatch.setattr("worker.queue.rabbitmq_connection._CONNECT_TIMEOUT_SECONDS", 0.5)
    writer = await RabbitMQWriter.open(stoppable_rabbitmq_kit.url)
    connection = writer._connection._connection
    assert connection is not None
    await stoppable_rabbitmq_kit.broker.pause()
    try:
        async with asyncio.timeout(5):
            await writer.close()
    finally:
        await stoppable_rabbitmq_kit.broker.resume()
    assert connection.is_closed

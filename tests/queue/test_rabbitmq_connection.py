"""What a connection says while there is no broker."""

import asyncio
import json

import pytest

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

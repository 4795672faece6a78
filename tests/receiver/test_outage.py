"""With the broker away webhooks are parked in Postgres; with both away the ESP is told to come again."""

import asyncio
import json

from tests.receiver.conftest import Start
from tests.receiver.running_receiver import TallyingWriter, bounce, is_empty, now, take_envelopes
from worker.local_services.process import free_port
from worker.queue.parking import ParkingWriter
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter
from worker.samples.mailgun import MailgunSamples
from worker.settings.tree import ReceiverSettings


async def _absent_broker() -> RabbitMQWriter:
    return await RabbitMQWriter.open(f"amqp://nobody:nothing@127.0.0.1:{free_port()}/")


async def test_with_the_broker_away_webhooks_are_parked_and_answered_with_success(
    start_receiver: Start, postgres_writer: TallyingWriter, postgres_reader: PostgresReader
) -> None:
    broker = await _absent_broker()
    sender = MailgunSamples()
    writer = ParkingWriter(broker, postgres_writer, park_after_seconds=0.5)
    receiver = await start_receiver(sources=[sender.source("main")], writer=writer)
    webhooks = sender.requests([bounce(number) for number in range(20)], now=now())
    answers = await asyncio.gather(*(receiver.post(webhook, "main") for webhook in webhooks))
    assert {status for status, _, _ in answers} == {200}
    async with receiver.client.get("/readyz") as answer:
        assert answer.status == 200
        said = await answer.json()
    assert said == {
        "ready": True,
        "missing": [],
        "degraded": ["RabbitMQ is away: webhooks are parked in Postgres"],
    }
    parked = await take_envelopes(postgres_reader, 20)
    assert {envelope.body for envelope in parked} == {webhook.body for webhook in webhooks}
    await receiver.stop()
    await broker.close()


async def test_with_both_away_the_answer_is_later_and_the_vendors_next_try_is_taken(
    start_receiver: Start,
    absent_postgres_dsn: str,
    rabbitmq_writer: TallyingWriter,
    rabbitmq_reader: RabbitMQReader,
) -> None:
    broker, parking = await _absent_broker(), await PostgresWriter.open(absent_postgres_dsn)
    sender = MailgunSamples()
    settings = ReceiverSettings(retry_after_seconds=77)
    receiver = await start_receiver(
        sources=[sender.source("main")],
        writer=ParkingWriter(broker, parking, park_after_seconds=0.5),
        settings=settings,
    )
    [webhook] = sender.requests([bounce()], now=now())
    status, headers, body = await receiver.post(webhook, "main")
    assert (status, headers["Retry-After"]) == (503, "77")
    assert json.loads(body)["error"] == "queue_unavailable"
    async with receiver.client.get("/readyz") as answer:
        assert answer.status == 503
        said = await answer.json()
        assert "queue" in said["missing"][0]
        assert "degraded" not in said
    async with receiver.client.get("/healthz") as answer:
        assert answer.status == 200
    await receiver.stop()
    await broker.close()
    await parking.close()

    # Its token was not used up by the try that failed.
    healthy = await start_receiver(sources=[sender.source("main")], writer=rabbitmq_writer)
    assert (await healthy.post(webhook, "main"))[0] == 200
    await take_envelopes(rabbitmq_reader, 1)


async def test_a_token_is_free_again_after_a_try_that_could_not_be_stored(
    start_receiver: Start, postgres_writer: TallyingWriter, postgres_reader: PostgresReader
) -> None:
    sender = MailgunSamples()
    settings = ReceiverSettings(answer_timeout_seconds=0.5)
    receiver = await start_receiver(sources=[sender.source("main")], writer=postgres_writer, settings=settings)
    first = sender.signed({"event": "delivered", "id": "1"}, now=now(), token="a" * 50)
    other = sender.signed({"event": "delivered", "id": "2"}, now=now(), token="a" * 50)
    postgres_writer.may_confirm.clear()
    assert (await receiver.post(first, "main"))[0] == 503
    postgres_writer.may_confirm.set()
    assert (await receiver.post(other, "main"))[0] == 200
    assert (await receiver.post(first, "main"))[0] == 401
    assert not await is_empty(postgres_reader)

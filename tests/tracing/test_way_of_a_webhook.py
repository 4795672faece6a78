"""One webhook is one trace: from the request over the queue and the batch to the announcement of the status."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aio_pika
import asyncpg

from schemas.queue_topology import CONTACTS_EXCHANGE
from tests.captured_lines import capture_logs
from tests.process_roles import as_process
from tests.processor.test_service import processor, settings_for, until_answered
from tests.receiver.running_receiver import bounce
from tests.tracing.collector import Collector, ReceivedSpan
from tests.tracing.conftest import Tracing
from tests.tracing.traced_receiver import ANNOUNCE, BLOCKED, PROCESS, REQUEST, SAMPLES, SEND, post, receiver
from worker.queue.postgres import PostgresWriter
from worker.queue.rabbitmq import RabbitMQWriter


@asynccontextmanager
async def listening_to_changes(rabbitmq_url: str) -> AsyncIterator[aio_pika.abc.AbstractQueue]:
    async with await aio_pika.connect(rabbitmq_url) as broker:
        channel = await broker.channel()
        queue = await channel.declare_queue(exclusive=True)
        exchange = await channel.declare_exchange(CONTACTS_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        await queue.bind(exchange, "contact.status.#")
        yield queue


def of_trace(spans: list[ReceivedSpan], trace_id: str) -> list[str]:
    """The names of the trace's spans from its first one on, each below the one before it."""
    names, above = [], ""
    mine = {span.parent_id: span for span in spans if span.trace_id == trace_id}
    assert len(mine) == len([span for span in spans if span.trace_id == trace_id])
    while (span := mine.pop(above, None)) is not None:
        names.append(span.name)
        above = span.span_id
    assert not mine, "spans that nothing leads to"
    return names


async def test_a_webhook_over_rabbitmq_is_one_trace_up_to_the_message_for_applications(
    database_dsn: str, rabbitmq_url: str, tracing: Tracing, collector: Collector
) -> None:
    with capture_logs() as lines:
        async with (
            listening_to_changes(rabbitmq_url) as changes,
            tracing(adapter="rabbitmq"),
            receiver(await RabbitMQWriter.open(rabbitmq_url)) as receiving,
            processor(settings_for(database_dsn, rabbitmq_url)),
        ):
            await post(receiving, 1)
            await until_answered(database_dsn, BLOCKED, 1)
            announce = await collector.one(ANNOUNCE)
            message = await changes.get(timeout=10)
        await collector.until(lambda: len(collector.spans) == 6, "all spans")

    assert of_trace(collector.spans, announce.trace_id) == [REQUEST, SEND, PROCESS, ANNOUNCE]
    assert announce.is_named_by(message.headers["traceparent"])
    spans = {(span.name, span.kind) for span in collector.spans}
    assert spans == {
        (REQUEST, "SERVER"),
        (SEND, "PRODUCER"),
        (PROCESS, "CONSUMER"),
        ("apply_events", "CLIENT"),
        (ANNOUNCE, "PRODUCER"),
    }
    send = await collector.one(SEND)
    delivery, load = sorted(collector.named(PROCESS), key=lambda span: span.trace_id != announce.trace_id)
    assert load.links == [(send.trace_id, send.span_id)]
    assert delivery.links == [(load.trace_id, load.span_id)]
    assert (await collector.one("apply_events")).parent_id == load.span_id
    assert not any(span.failed for span in collector.spans)
    assert all(span.started_ns <= span.ended_ns for span in collector.spans)

    traced_lines = {line["event"]: line["trace_id"] for line in lines if "trace_id" in line}
    assert traced_lines == {
        "webhook.accepted": announce.trace_id,
        "status.changed": announce.trace_id,
        "batch.applied": load.trace_id,
    }
    (accepted,) = [line for line in lines if line["event"] == "webhook.accepted"]
    ids = {span.attributes.get("bouncekeeper.delivery_id") for span in collector.spans}
    assert ids == {str(accepted["delivery_id"]), None}  # None: of the load and its transaction


async def test_a_webhook_over_the_queue_in_postgres_is_one_trace(
    database_dsn: str, tracing: Tracing, collector: Collector
) -> None:
    writer = await PostgresWriter.open(as_process(database_dsn, "receiver"))
    async with (
        tracing(adapter="postgres"),
        receiver(writer) as receiving,
        processor(settings_for(database_dsn, None)),
    ):
        await post(receiving, 1)
        await until_answered(database_dsn, BLOCKED, 1)
        request = await collector.one(REQUEST)
        await collector.until(lambda: len(collector.spans) == 5, "all spans")
    assert of_trace(collector.spans, request.trace_id) == [REQUEST, SEND, PROCESS]
    assert {span.attributes.get("messaging.system") for span in collector.spans} == {"postgresql", None}


async def test_a_batch_of_many_webhooks_links_to_each_of_them(
    database_dsn: str, tracing: Tracing, collector: Collector
) -> None:
    writer = await PostgresWriter.open(as_process(database_dsn, "receiver"))
    async with tracing():
        async with receiver(writer) as receiving:
            await post(receiving, *range(20))
        async with processor(settings_for(database_dsn, None)):
            await until_answered(database_dsn, BLOCKED, 20)
    requests = collector.named(REQUEST)
    assert len({span.trace_id for span in requests}) == 20
    for request in requests:
        assert of_trace(collector.spans, request.trace_id) == [REQUEST, SEND, PROCESS]
    (load,) = [span for span in collector.named(PROCESS) if not span.parent_id]
    assert sorted(load.links) == sorted((span.trace_id, span.span_id) for span in collector.named(SEND))
    assert load.attributes["messaging.batch.message_count"] == 20
    assert load.attributes["bouncekeeper.status_changes"] == 20


async def test_nothing_of_a_person_or_a_secret_is_in_any_span(
    database_dsn: str, rabbitmq_url: str, tracing: Tracing, collector: Collector
) -> None:
    async with (
        tracing(adapter="rabbitmq"),
        receiver(await RabbitMQWriter.open(rabbitmq_url)) as receiving,
        processor(settings_for(database_dsn, rabbitmq_url)),
    ):
        await post(receiving, 1)
        await collector.one(ANNOUNCE)
        (webhook,) = SAMPLES.requests([bounce(2)], now=datetime.now(UTC))
        assert (await receiving.post(webhook, "shop", authorization="Basic d3Jvbmc6d3Jvbmc="))[0] == 401
        assert (await receiving.post(webhook, "shop", body=b"jane@example.org, of whom nobody knows what"))[0] == 200
        await collector.until(lambda: len(collector.named(PROCESS)) == 4, "both deliveries")
    told = repr([(span.name, span.attributes, span.resource, span.trace_state) for span in collector.spans])
    assert not re.search(r"@|jane|example\.org|Basic|d3Jvbmc|127\.0\.0\.1", told)
    (set_aside,) = [s for s in collector.named(PROCESS) if s.attributes.get("bouncekeeper.outcome") == "set_aside"]
    assert set_aside.attributes["bouncekeeper.reason"] == "unreadable_payload"
    (refused,) = [s for s in collector.named(REQUEST) if s.attributes["bouncekeeper.outcome"] == "refused"]
    assert refused.attributes["http.response.status_code"] == 401
    assert not refused.failed  # it is the caller's mistake


async def test_what_is_not_traced_carries_nothing(database_dsn: str, tracing: Tracing, collector: Collector) -> None:
    writer = await PostgresWriter.open(as_process(database_dsn, "receiver"))
    async with tracing(ratio=0.0), receiver(writer) as receiving, processor(settings_for(database_dsn, None)):
        await post(receiving, 1)
        await until_answered(database_dsn, BLOCKED, 1)
    assert not collector.spans
    connection = await asyncpg.connect(database_dsn)
    assert await connection.fetchval("SELECT count(*) FROM delivery_traces") == 0
    await connection.close()

"""What fails is a failed span, with a word for the reason and none of the error's own."""

from datetime import UTC, datetime

import pytest

from schemas.trace_context import TraceContext
from tests.processor.test_service import envelope
from tests.receiver.running_receiver import bounce
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from tests.tracing.traced_receiver import PROCESS, REQUEST, SAMPLES, SEND, receiver
from worker.errors import StoreUnavailable
from worker.local_services.process import free_port
from worker.processor.load_trace import begin_load_trace
from worker.processor.parsing import ParsedDelivery, ParsedParcels
from worker.queue.postgres import PostgresWriter

CONTEXT = TraceContext(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


async def test_a_webhook_that_cannot_be_queued_is_a_failed_request(tracing: Tracing, collector: Collector) -> None:
    writer = await PostgresWriter.open(f"postgresql://nobody:geheim@127.0.0.1:{free_port()}/nothing")
    (webhook,) = SAMPLES.requests([bounce()], now=datetime.now(UTC))
    async with tracing(), receiver(writer) as receiving:
        assert (await receiving.post(webhook, "shop"))[0] == 503
    request, send = await collector.one(REQUEST), await collector.one(SEND)
    assert request.failed
    assert request.attributes["error.type"] == "503"
    assert request.attributes["bouncekeeper.reason"] == "queue_unavailable"
    assert send.failed
    assert send.attributes["error.type"] == "QueueUnavailable"


async def test_a_load_that_cannot_be_stored_is_failed_spans_of_each_delivery(
    tracing: Tracing, collector: Collector
) -> None:
    deliveries = [envelope(b"{}").traced(CONTEXT), envelope(b"{}")]
    parsed = ParsedParcels(deliveries=[ParsedDelivery(envelope=one, events=[]) for one in deliveries])
    async with tracing():
        with (
            pytest.raises(StoreUnavailable),
            begin_load_trace(parsed, queue="postgres") as trace,
            trace.transaction(1),
        ):
            raise StoreUnavailable("Postgres has refused jane@example.org")
    assert len(collector.named(PROCESS)) == 2  # of the traced one, and of the load
    assert len(collector.named("apply_events")) == 1
    assert all(span.failed and span.attributes["error.type"] == "StoreUnavailable" for span in collector.spans)
    assert "jane" not in repr(collector.spans)

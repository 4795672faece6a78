"""A load of thousands of deliveries, as after a pause."""

from schemas.trace_context import TraceContext
from tests.processor.test_service import envelope
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from tests.tracing.traced_receiver import PROCESS
from worker.processor.load_trace import begin_load_trace
from worker.processor.parsing import ParsedDelivery, ParsedParcels

DELIVERIES = 8_000
TRACED = 256  # of one load


def context(number: int) -> TraceContext:
    return TraceContext(traceparent=f"00-{number:032x}-00f067aa0ba902b7-01")


async def test_the_first_deliveries_of_a_large_load_have_a_span_each_and_no_span_is_dropped(
    tracing: Tracing, collector: Collector
) -> None:
    envelopes = [envelope(b"{}").traced(context(number)) for number in range(1, DELIVERIES + 1)]
    parsed = ParsedParcels(deliveries=[ParsedDelivery(envelope=one, events=[]) for one in envelopes])
    async with tracing():
        with begin_load_trace(parsed, queue="postgres") as trace:
            traced = set(trace.contexts)
    assert traced == {one.delivery_id for one in envelopes[:TRACED]}
    (load,) = [span for span in collector.named(PROCESS) if len(span.links) != 1]
    deliveries = [span for span in collector.named(PROCESS) if span is not load]
    assert {trace_id for trace_id, _ in load.links} == {span.trace_id for span in deliveries}
    assert len(load.links) == len(deliveries) == TRACED
    assert all(span.links == [(load.trace_id, load.span_id)] for span in deliveries)

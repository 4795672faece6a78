"""Deliveries that an earlier or a later version has queued, and those that say nonsense of their trace."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope, decode_envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.lane import SHARED_LANE
from schemas.trace_context import TraceContext
from tests.process_roles import as_process
from tests.processor.test_service import bounce, envelope, processor, settings_for, until_answered
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from tests.tracing.traced_receiver import BLOCKED, PROCESS
from worker.queue.postgres import PostgresWriter
from worker.samples.postmark import PostmarkSamples

CONTEXT = TraceContext(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", tracestate="vendor=1")
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


class FormerEnvelope(Struct, frozen=True, kw_only=True, array_like=True):
    """As of the version that knew no traces."""

    delivery_id: UUID
    source: str
    provider: str
    account: str
    received_at: datetime
    content_type: str
    headers: dict[str, str]
    body: bytes
    replay_token: str = ""
    replay_fingerprint: str = ""
    replay_window_seconds: int = 0
    account_from: str = ""


class LaterEnvelope(Envelope, frozen=True, kw_only=True, array_like=True, gc=False):
    """As a later version may have it."""

    something_new: str = ""


FORMER = FormerEnvelope(
    delivery_id=new_delivery_id(),
    source="shop",
    provider="postmark",
    account="default",
    received_at=NOW,
    content_type="application/json",
    headers={},
    body=b"{}",
    account_from="field",
)


def test_a_delivery_of_the_version_before_has_no_trace() -> None:
    read = decode_envelope(msgspec.msgpack.Encoder(uuid_format="bytes").encode(FORMER))
    assert read.trace_context is None
    assert read.account_from == "field"


def test_the_version_before_reads_a_delivery_with_a_trace() -> None:
    ours = Envelope(**msgspec.structs.asdict(FORMER)).traced(CONTEXT)
    assert msgspec.msgpack.decode(encode_envelope(ours), type=FormerEnvelope) == FORMER


def test_a_delivery_of_a_later_version_keeps_its_trace() -> None:
    later = LaterEnvelope(**msgspec.structs.asdict(FORMER), something_new="new").traced(CONTEXT)
    assert decode_envelope(encode_envelope(later)).trace_context == CONTEXT


async def test_deliveries_without_a_trace_or_with_nonsense_take_effect_beside_those_with_one(
    database_dsn: str, tracing: Tracing, collector: Collector
) -> None:
    requests = PostmarkSamples().requests([bounce(f"x{number}@example.org") for number in range(4)], now=NOW)
    plain, traced, nonsense, unsampled = (envelope(request.body) for request in requests)
    parcel = [
        plain,
        traced.traced(CONTEXT),
        nonsense.traced(TraceContext(traceparent="00-x", tracestate="=" * 2000)),
        unsampled.traced(TraceContext(traceparent=CONTEXT.traceparent[:-2] + "00")),
    ]
    writer = await PostgresWriter.open(as_process(database_dsn, "receiver"))
    async with tracing(), processor(settings_for(database_dsn, None)):
        await writer.put(encode_parcel([encode_envelope(one) for one in parcel]), SHARED_LANE)
        await until_answered(database_dsn, BLOCKED, 4)
    await writer.close()
    delivery, load = sorted(collector.named(PROCESS), key=lambda span: not span.parent_id)
    assert delivery.is_named_by(f"{CONTEXT.traceparent[:36]}{delivery.span_id}-01")
    assert load.links == [(delivery.trace_id, delivery.parent_id)]

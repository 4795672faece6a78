"""Webhooks out go on with the trace of the webhook that has changed the status."""

import asyncio
import base64
import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from schemas.endpoint import Endpoint
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from schemas.trace_context import TraceContext
from schemas.vocabulary import Cause, Kind
from tests.processor.application import application
from tests.schemas.feedback_events import make_event
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from worker.contacts.applying import BatchRules
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter
from worker.processor.endpoint_client import EndpointClient
from worker.processor.webhooks_out import EndpointSender
from worker.store.delivery_traces import forget_traces
from worker.store.endpoint_states import follower_name
from worker.store.feed_followers import ensure_follower
from worker.store.pool import Connection, WriterPool, open_pool
from worker.store.turns import Turns

SECRET = f"whsec_{base64.b64encode(os.urandom(32)).decode()}"
TRACE, PROCESSED = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = TraceContext(traceparent=f"00-{TRACE}-{PROCESSED}-01", tracestate="vendor=state")
TRACED, UNTRACED = UUID(int=1), UUID(int=2)


@pytest.fixture
def writer(pool: WriterPool) -> BatchWriter:
    oldest_kept = datetime.now(UTC) - timedelta(days=9000)
    return BatchWriter(pool, BatchRules(policies=Policies(recommended_policy()), oldest_kept=oldest_kept))


def bounce(delivery_id: UUID, address: str) -> FeedbackEvent:
    return make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, delivery_id=delivery_id, address=address)


async def test_a_webhook_out_names_the_trace_of_the_webhook_in(
    pool: WriterPool, database_dsn: str, writer: BatchWriter, tracing: Tracing, collector: Collector
) -> None:
    await ensure_follower(pool, follower_name("crm"))
    traced, untraced = bounce(TRACED, "x1@example.org"), bounce(UNTRACED, "x2@example.org")
    await writer.commit([traced, untraced], traces={TRACED: CONTEXT})
    turns = Turns(database_dsn)
    async with application(SECRET) as app, EndpointClient() as client, tracing():
        endpoint = Endpoint(name="crm", url=app.url, secrets=(Secret(SECRET),))
        sender = EndpointSender(endpoint, pool=pool, turns=turns, client=client, give_up_after=timedelta(days=5))
        assert await sender.send_waiting(asyncio.Event()) == 2
    await turns.close()
    span = await collector.one("POST")
    assert (span.kind, span.trace_id, span.parent_id) == ("CLIENT", TRACE, PROCESSED)
    assert span.attributes["bouncekeeper.endpoint"] == "crm"
    assert "token" not in repr(span.attributes)  # which stands in the URL
    by_address = dict(zip(app.addresses, app.traceparents, strict=True))
    assert span.is_named_by(by_address["x1@example.org"])
    assert by_address["x2@example.org"] == ""


async def test_the_traces_of_changes_are_asked_for_once_for_many(
    pool: WriterPool, database_dsn: str, writer: BatchWriter, tracing: Tracing
) -> None:
    await ensure_follower(pool, follower_name("crm"))
    await writer.commit([bounce(UUID(int=number), f"x{number}@example.org") for number in range(1, 11)], traces={})
    statements: list[str] = []

    async def listen(connection: Connection) -> None:
        connection.add_query_logger(lambda query: statements.append(query.query))

    turns = Turns(database_dsn)
    listening = await open_pool(database_dsn, connections=2, command_timeout_seconds=10, prepare=listen)
    async with application(SECRET) as app, EndpointClient() as client, tracing():
        endpoint = Endpoint(name="crm", url=app.url, secrets=(Secret(SECRET),))
        sender = EndpointSender(endpoint, pool=listening, turns=turns, client=client, give_up_after=timedelta(days=5))
        assert await sender.send_waiting(asyncio.Event()) == 10
    await listening.close()
    await turns.close()
    assert sum("delivery_traces" in statement for statement in statements) == 1


async def test_only_deliveries_that_changed_a_status_are_kept_and_only_for_a_day(
    pool: WriterPool, writer: BatchWriter
) -> None:
    await writer.commit([bounce(UNTRACED, "x@example.org")], traces={TRACED: CONTEXT})
    assert await pool.fetchval("SELECT count(*) FROM delivery_traces") == 0
    await writer.commit([bounce(TRACED, "y@example.org")], traces={TRACED: CONTEXT})
    now = datetime.now(UTC)
    await forget_traces(pool, now=now + timedelta(hours=23))
    assert await pool.fetchval("SELECT count(*) FROM delivery_traces") == 1
    await forget_traces(pool, now=now + timedelta(hours=25))
    assert await pool.fetchval("SELECT count(*) FROM delivery_traces") == 0

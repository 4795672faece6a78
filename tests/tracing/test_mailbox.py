"""A mail that is fetched begins a trace as a webhook does."""

from collections.abc import Iterator

import pytest

from tests.mailbox.imap_server import ImapServer, running_imap_server
from tests.mailbox.test_fetching import fetching, mail, queued
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from tests.tracing.traced_receiver import SEND
from worker.queue.postgres import PostgresWriter

pytestmark = pytest.mark.slow


@pytest.fixture
def imap_server() -> Iterator[ImapServer]:
    with running_imap_server() as server:
        yield server


async def test_each_mail_of_a_parcel_has_a_trace_of_its_own(
    imap_server: ImapServer,
    postgres_writer: PostgresWriter,
    database_dsn: str,
    tracing: Tracing,
    collector: Collector,
) -> None:
    imap_server.put(mail(1), mail(2))
    async with tracing(), fetching(imap_server.mailbox(), postgres_writer) as fetcher:
        await fetcher.take_all()
    envelopes = {str(envelope.delivery_id): envelope for envelope in await queued(database_dsn)}
    sent = collector.named(SEND)
    assert len({span.trace_id for span in sent}) == len(sent) == 2
    for span in sent:
        assert span.is_named_by(envelopes[span.attributes["bouncekeeper.delivery_id"]].traceparent)
        assert (span.kind, span.parent_id, span.attributes["bouncekeeper.source"]) == ("PRODUCER", "", "mail")

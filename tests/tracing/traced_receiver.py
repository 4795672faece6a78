"""A receiver of one source on a real port, what is posted to it, and the names of the spans that come of that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from schemas.queue_topology import CONTACTS_EXCHANGE, PARCELS_EXCHANGE
from tests.receiver.running_receiver import RunningReceiver, bounce
from worker.queue.port import QueueWriter
from worker.samples.postmark import PostmarkSamples
from worker.settings.tree import ReceiverSettings

SAMPLES = PostmarkSamples()
SOURCE = SAMPLES.source("shop")
REQUEST, SEND, PROCESS = "POST /webhooks/shop", f"send {PARCELS_EXCHANGE}", f"process {PARCELS_EXCHANGE}"
ANNOUNCE = f"send {CONTACTS_EXCHANGE}"
BLOCKED = "SELECT count(*) FROM contacts WHERE status = 'blocklisted'"


@asynccontextmanager
async def receiver(writer: QueueWriter, *, trusted_proxies: tuple[str, ...] = ()) -> AsyncIterator[RunningReceiver]:
    """The receiver; the writer is closed after it."""
    settings = ReceiverSettings(trusted_proxies=trusted_proxies)
    running = await RunningReceiver.start(sources=(SOURCE,), writer=writer, settings=settings)
    try:
        yield running
    finally:
        await running.stop()
        await writer.close()


async def post(receiving: RunningReceiver, *numbers: int, **headers: str) -> None:
    """Posts a bounce of each of these contacts, all at once; each is accepted."""
    webhooks = SAMPLES.requests([bounce(number) for number in numbers], now=datetime.now(UTC))
    answers = await asyncio.gather(*(receiving.post(webhook, "shop", **headers) for webhook in webhooks))
    assert {status for status, _, _ in answers} == {200}

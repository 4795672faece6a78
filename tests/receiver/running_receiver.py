"""A receiver listening on a free port of this machine, and what tests do with it."""

import asyncio
import io
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Self

import aiohttp

from schemas.envelope import Envelope, decode_envelope, decode_parcel
from schemas.lane import SHARED_LANE, Lane
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from tests.waiting import pause
from worker.connections.listening import listening
from worker.connections.remote_address import RemoteAddress
from worker.providers.registry import PROVIDERS
from worker.providers.webhook_request import WebhookRequest
from worker.queue.port import QueueReader, QueueWriter
from worker.receiver.application import build_receiver
from worker.samples.sample import SampleEvent
from worker.settings.tree import ConnectionSettings, ReceiverSettings, UnsubscribeSettings


class TallyingWriter:
    """A real writer, with a list of what went through it; it can be told to keep confirms back."""

    def __init__(self, writer: QueueWriter) -> None:
        self._writer = writer
        self.parcels: list[bytes] = []
        self.lanes: list[Lane] = []
        self.may_confirm = asyncio.Event()
        self.may_confirm.set()

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        self.parcels.append(parcel)
        self.lanes.append(lane)
        await self._writer.put(parcel, lane)
        await self.may_confirm.wait()

    def available(self) -> bool:
        return self._writer.available()

    async def close(self) -> None:
        await self._writer.close()


class RunningReceiver:
    """The application behind a real socket, and a client."""

    def __init__(self, serving: AsyncExitStack, client: aiohttp.ClientSession, url: str) -> None:
        self._serving = serving
        self.client = client
        self.url = url
        self.port = int(url.rpartition(":")[2])

    @classmethod
    async def start(
        cls,
        *,
        sources: Sequence[Source],
        writer: QueueWriter,
        settings: ReceiverSettings | None = None,
        connections: ConnectionSettings | None = None,
        connector: aiohttp.BaseConnector | None = None,
        unsubscribe: UnsubscribeSettings | None = None,
    ) -> Self:
        settings = settings or ReceiverSettings()
        app = build_receiver(
            settings=settings,
            sources=sources,
            writer=writer,
            providers=PROVIDERS,
            connector=connector,
            connections=connections,
            unsubscribe=unsubscribe,
        )
        serving = AsyncExitStack()
        url = await serving.enter_async_context(
            listening(
                app,
                host="127.0.0.1",
                port=0,
                role="receiver",
                remedy="",
                connections=connections or ConnectionSettings(),
                is_trusted=RemoteAddress(settings.trusted_proxies).is_trusted,
                shutdown_seconds=settings.drain_seconds,
            )
        )
        return cls(serving, aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)), url)

    async def stop(self) -> None:
        """Stops as the process does: finishes what it accepted."""
        await self._serving.aclose()
        await self.client.close()

    async def post(
        self, webhook: WebhookRequest, source: str, **changed: str | bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Sends the webhook; gives back status, headers and body of the answer."""
        given = changed.pop("body", webhook.body)
        body = io.BytesIO(given) if isinstance(given, bytes) and len(given) > 1_000_000 else given
        headers = {**webhook.headers, **{name.replace("_", "-"): str(text) for name, text in changed.items()}}
        async with self.client.post(f"/webhooks/{source}", data=body, headers=headers) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    async def exchange(self, wire: bytes, *, pause_seconds: float = 0.0, rest: bytes = b"") -> bytes:
        """Sends raw bytes, after a pause the rest, and gives back all that comes until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(wire)
            await writer.drain()
            if rest:
                await pause(pause_seconds, "between the two parts")
                writer.write(rest)
                await writer.drain()
            return await asyncio.wait_for(reader.read(), timeout=15)
        finally:
            writer.close()


async def take_envelopes(reader: QueueReader, count: int) -> list[Envelope]:
    """So many envelopes from the queue, and an assertion that there are no more."""
    envelopes: list[Envelope] = []
    while len(envelopes) < count:
        leases = await reader.take(max_parcels=100, max_wait_seconds=5)
        assert leases, f"only {len(envelopes)} of {count} envelopes came"
        for lease in leases:
            envelopes += [decode_envelope(blob) for blob in decode_parcel(lease.parcel)]
        await reader.acknowledge(leases)
    assert await reader.take(max_parcels=1, max_wait_seconds=0.2) == []
    assert len(envelopes) == count
    return envelopes


async def is_empty(reader: QueueReader) -> bool:
    return await reader.take(max_parcels=1, max_wait_seconds=0.3) == []


def bounce(number: int = 0) -> SampleEvent:
    return SampleEvent(
        address=f"jane{number}@example.org",
        kind=Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        occurred_at=datetime.now(UTC),
        message_id=f"message-{number}",
    )


def now() -> datetime:
    return datetime.now(UTC)

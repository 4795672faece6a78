"""A collector, and the switch of traces for a test that runs services in its own process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from schemas.source import Secret
from tests.tracing.collector import Collector, collecting
from worker.settings.tree import QueueSettings, TracesSettings
from worker.tracing.switch import make_tracer
from worker.tracing.tracer import use_tracer

Tracing = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """A collector that takes everything."""
    async with collecting() as listening:
        yield listening


@pytest.fixture
def tracing(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Tracing:
    """How a test switches traces on for a block of its own; spans are sent soon, and all are when it ends."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")

    @asynccontextmanager
    async def switched_on(
        *, adapter: str = "postgres", close_seconds: float = 5.0, **settings: Any
    ) -> AsyncIterator[None]:
        url = Secret("amqp://guest:guest@127.0.0.1/") if adapter == "rabbitmq" else None
        queue = QueueSettings(adapter="rabbitmq" if adapter == "rabbitmq" else "postgres", url=url)
        chosen = {"enabled": True, "endpoint": collector.url, "ratio": 1.0, **settings}
        tracer = make_tracer(TracesSettings(**chosen), queue, "test")
        use_tracer(tracer)
        try:
            yield
        finally:
            use_tracer(None)
            # The collector runs on this loop, which must not wait for it.
            await asyncio.to_thread(tracer.close, close_seconds)

    return switched_on

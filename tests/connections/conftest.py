"""Ports and those who connect to them, ended after each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.connections.running_port import RunningPort, Stranger
from worker.settings.tree import ConnectionSettings

StartPort = Callable[..., Awaitable[RunningPort]]
Connect = Callable[..., Awaitable[Stranger]]


@pytest.fixture
async def _ended() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def start_port(_ended: AsyncExitStack) -> StartPort:
    """Starts ports with the given connection settings."""

    async def start(*, trusted: tuple[str, ...] = (), **settings: float) -> RunningPort:
        return await _ended.enter_async_context(
            RunningPort.start(ConnectionSettings(**settings), trusted=trusted)  # type: ignore[arg-type]
        )

    return start


@pytest.fixture
def connect(_ended: AsyncExitStack) -> Connect:
    """Connects to ports."""

    async def connect(port: RunningPort, *, address: str = "127.0.0.1") -> Stranger:
        stranger = await port.connect(address=address)
        _ended.push_async_callback(stranger.close)
        return stranger

    return connect

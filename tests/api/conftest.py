"""The API on a real port over a real database, and contacts made by the real batch path."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from tests.api.serving import api_on, serving
from tests.schemas.feedback_events import START
from worker.contacts.accounts import make_accounts
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.settings.tree import ApiSettings, ConnectionSettings
from worker.store.pool import Pool, WriterPool
from worker.store.writer_pool import writing

TOKEN = "a-token-of-the-test-that-is-long"
OLD_TOKEN = "an-older-token-being-rotated-out"
Store = Callable[[Sequence[FeedbackEvent]], Awaitable[None]]


@pytest.fixture
def api_settings() -> ApiSettings:
    """Two tokens, as while one is being rotated, and few addresses at once."""
    return ApiSettings(
        tokens=(Secret(TOKEN), Secret(OLD_TOKEN)),
        check_max_addresses=50,
        accounts=("warehouse", "customer-*"),
        trusted_proxies=("127.0.0.1",),
    )


@pytest.fixture
async def base_url(api_pool: Pool, pool: Pool, api_settings: ApiSettings) -> AsyncIterator[str]:  # noqa: ARG001 - pool brings months
    """Where the API listens, with the rights that it has in production."""
    app = api_on(api_pool, settings=api_settings, source_accounts=("default", "shop-eu"))
    connections = ConnectionSettings(body_grace_seconds=0.5)
    async with serving(app, connections) as url:
        yield url


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[ClientSession]:
    """An application that may ask."""
    async with ClientSession(base_url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session


@pytest.fixture
async def stranger(base_url: str) -> AsyncIterator[ClientSession]:
    """Somebody without a token."""
    async with ClientSession(base_url) as session:
        yield session


@pytest.fixture
def store(pool: WriterPool) -> Store:
    """Applies events as the processor does for a source that makes accounts."""
    rules = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=300))

    async def apply(events: Sequence[FeedbackEvent]) -> None:
        now = datetime.now(UTC)
        await make_accounts(pool, {event.account for event in events}, now=now, actor="the test")
        async with writing(pool) as connection:
            await apply_events(connection, events, rules=rules, now=now)

    return apply

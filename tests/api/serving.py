"""An API as tests start one: with the built-in policy, on a port that is free."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from schemas.source import Secret
from worker.api.application import build_api
from worker.api.route import Route
from worker.connections.listening import listening
from worker.policy.policy_file import recommended_policy
from worker.settings.tree import ApiSettings, ConnectionSettings, RecheckSettings, UnsubscribeSettings
from worker.store.pool import Pool, WriterPool

LINKS = UnsubscribeSettings(secrets=(Secret("a-secret-of-thirty-two-characters"),), url="https://bounces.example.com/")


def api_on(
    pool: Pool,
    *,
    settings: ApiSettings | None = None,
    source_accounts: Collection[str] = ("default",),
    routes: Sequence[Route] | None = None,
    unsubscribe: UnsubscribeSettings = LINKS,
    recheck: RecheckSettings | None = None,
) -> web.Application:
    """The application; without settings every token is in the database."""
    return build_api(
        pool=pool,
        writer_pool=WriterPool(pool),
        policy=recommended_policy(),
        settings=ApiSettings() if settings is None else settings,
        source_accounts=source_accounts,
        routes=routes,
        unsubscribe=unsubscribe,
        recheck=recheck,
    )


@asynccontextmanager
async def serving(app: web.Application, connections: ConnectionSettings | None = None) -> AsyncIterator[str]:
    """Where the application listens, inside the block."""
    limits = ConnectionSettings() if connections is None else connections
    async with listening(app, host="127.0.0.1", port=0, role="api", remedy="", connections=limits) as url:
        yield url

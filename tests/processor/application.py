"""An application that takes webhooks: a real server that can fail, hang, redirect, vanish and come back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

from schemas.outgoing import StatusChanged
from worker.local_services.process import free_port

Behaviour = Callable[[web.Request], web.StreamResponse]


class Application:
    """Listens on a port of its own; keeps each message that it took, after verifying its signature."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._port = free_port()
        self._runner: web.AppRunner | None = None
        self.taken: list[StatusChanged] = []
        self.attempts: list[str] = []  # the message ids, in the order of their coming
        self.traceparents: list[str] = []  # of what it took
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hangs = False
        self.followed = 0  # requests to where it redirects

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/hooks?token=of-the-url"

    @property
    def addresses(self) -> list[str]:
        """Whom it was told of, repeats included."""
        return [change.address for change in self.taken]

    def has_heard_of(self, count: int) -> bool:
        """True once it was told of so many addresses."""
        return len(set(self.addresses)) >= count

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/hooks", self._take)
        app.router.add_route("*", "/elsewhere", self._follow)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.attempts.append(request.headers["webhook-id"])
        if self.hangs:
            await asyncio.Event().wait()
        if not 200 <= self.status < 300:
            return web.Response(status=self.status, headers=self.headers)
        Webhook(self._secret).verify(body, dict(request.headers))
        change = msgspec.json.decode(body, type=StatusChanged)
        assert str(change.message_id) == request.headers["webhook-id"]
        assert request.content_type == "application/json"
        self.taken.append(change)
        self.traceparents.append(request.headers.get("traceparent", ""))
        return web.Response(status=self.status)

    async def _follow(self, _: web.Request) -> web.Response:
        self.followed += 1
        return web.Response()


@asynccontextmanager
async def application(secret: str) -> AsyncIterator[Application]:
    """The application, running."""
    running = Application(secret)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()

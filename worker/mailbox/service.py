"""`mailbox` as a process: it checks each source's mailbox again and again until it must stop."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from aiohttp import web

from worker.connections.listening import listening
from worker.errors import ImpossibleSetting, TryAgainLater
from worker.mailbox.mailbox_fetcher import MailboxFetcher
from worker.process.backoff import Backoff
from worker.process.logs import Reminder, get_logger
from worker.process.pause import pause
from worker.process.probes import add_probes
from worker.queue.port import QueueWriter
from worker.settings.tree import MailboxSettings

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 300.0

_log = get_logger()


async def keep_fetching(
    fetchers: Sequence[tuple[str, MailboxFetcher]],
    writer: QueueWriter,
    settings: MailboxSettings,
    stop: asyncio.Event,
    *,
    ends_when_refused: bool = True,
) -> None:
    """Takes mail as it comes until `stop` is set. Waits if a mailbox or the queue is away, or if there is no mailbox.

    Raises ImpossibleSetting if a mailbox refuses the login at the start. If other services share the process
    (`ends_when_refused` is False), logs this and tries again instead.
    """
    started = time.monotonic()
    away: set[str] = {name for name, _ in fetchers}
    async with _serving_probes(settings, writer, away) as address:
        served = {"address": address} if address else {}
        _log.info("process.started", role="mailbox", version=version("bouncekeeper"), **served)
        if not fetchers:
            _log.warning("mailbox.not_configured")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_stop_fetchers(fetchers, stop))
            for name, fetcher in fetchers:
                watch = _look_again_and_again(name, fetcher, settings, stop, away, was_let_in=not ends_when_refused)
                tasks.create_task(watch)
    _log.info("process.stopped", role="mailbox", seconds=round(time.monotonic() - started, 3))


async def _stop_fetchers(fetchers: Sequence[tuple[str, MailboxFetcher]], stop: asyncio.Event) -> None:
    await stop.wait()
    for _, fetcher in fetchers:
        fetcher.stop()


async def _look_again_and_again(
    name: str,
    fetcher: MailboxFetcher,
    settings: MailboxSettings,
    stop: asyncio.Event,
    away: set[str],
    *,
    was_let_in: bool,
) -> None:
    reminder = Reminder()
    backoff = Backoff(first_seconds=_FIRST_WAIT_SECONDS, longest_seconds=_LONGEST_WAIT_SECONDS)
    try:
        while not stop.is_set():
            try:
                await fetcher.open()
                was_let_in = True
                away.discard(name)
                await fetcher.take_all()
                reminder.over()
                backoff.succeeded()
                await fetcher.wait(settings.poll_every_seconds, partial(pause, stop))
            except (TryAgainLater, ImpossibleSetting) as error:
                if isinstance(error, ImpossibleSetting) and not was_let_in:
                    raise
                away.add(name)
                if reminder.due(type(error).__name__):
                    _log.warning("mailbox.lost", source=name, reason=str(error), wait_seconds=backoff.seconds)
                await fetcher.close()
                await backoff.wait(stop)
    finally:
        await fetcher.close()


@asynccontextmanager
async def _serving_probes(settings: MailboxSettings, writer: QueueWriter, away: set[str]) -> AsyncIterator[str]:
    if not settings.port:
        yield ""
        return

    async def missing() -> list[str]:
        queue = [] if writer.available() else ["the queue cannot be reached: this process tries again"]
        return queue + [f"the mailbox of source {name} is not open: this process tries again" for name in sorted(away)]

    app = web.Application()
    add_probes(app, missing)
    async with listening(
        app,
        host=settings.host,
        port=settings.port,
        role="mailbox",
        remedy="choose another mailbox.port, or 0 for none",
    ) as address:
        yield address

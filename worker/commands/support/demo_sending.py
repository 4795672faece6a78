"""Posts the demo's webhooks as ESPs do: many at a time, and again after a 503."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import aiohttp
from msgspec import Struct

from worker.commands.support.output import console, print_line
from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.process.backoff import Backoff
from worker.providers.webhook_request import WebhookRequest

_CONNECTIONS = 32
_TRIES = 20
_LONGEST_WAIT_SECONDS = 2.0


class Sent(Struct, frozen=True, kw_only=True):
    """How many webhooks the receiver accepted, and the time it took."""

    webhooks: int
    seconds: float


class _Progress(Protocol):
    def __call__(self) -> None: ...


async def is_running(url: str) -> bool:
    """True if a receiver answers at this URL."""
    timeout = aiohttp.ClientTimeout(total=3)
    with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/healthz") as answer:
            return answer.status == 200  # noqa: PLR2004 - the HTTP status
    return False


async def post_all(requests: Sequence[tuple[str, WebhookRequest]], *, quiet: bool) -> Sent:
    """Posts every request until it is accepted. Raises ImpossibleSetting if one is refused for good."""
    started = time.monotonic()
    waiting = iter(requests)
    with _progress(len(requests), quiet=quiet) as advance:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS)) as session:

            async def post_some() -> None:
                for url, request in waiting:
                    await _post(session, url, request)
                    advance()

            async with asyncio.TaskGroup() as group:
                for _ in range(_CONNECTIONS):
                    group.create_task(post_some())
    return Sent(webhooks=len(requests), seconds=time.monotonic() - started)


async def _post(session: aiohttp.ClientSession, url: str, request: WebhookRequest) -> None:
    problem = ""
    backoff = Backoff(first_seconds=0.1, longest_seconds=_LONGEST_WAIT_SECONDS)
    for _ in range(_TRIES):
        try:
            async with session.post(url, params=request.query, headers=request.headers, data=request.body) as answer:
                if answer.status < 300:  # noqa: PLR2004 - the 2xx class
                    return
                problem = f"{answer.status} {(await answer.text())[:300]}"
                if answer.status not in {429, 503}:
                    raise ImpossibleSetting(
                        f"the receiver refused a webhook at {url}: {problem}. Does another instance listen there? "
                        "End it, or choose other ports with --receiver-port and --api-port"
                    )
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            problem = str(error) or type(error).__name__
        await asyncio.sleep(backoff.failed())
    raise QueueUnavailable(f"the receiver at {url} did not accept a webhook in {_TRIES} tries: {problem}")


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[_Progress]:
    """A bar on a terminal, a line for each quarter elsewhere, nothing with --json."""
    if quiet:
        yield lambda: None
        return
    if console().is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - slow to import

        columns = (TextColumn("sending webhooks"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console()) as progress:
            task = progress.add_task("", total=total)
            yield lambda: progress.advance(task)
        return
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if done * 4 // total > (done - 1) * 4 // total:
            print_line(f"sent {done} of {total} webhooks")

    yield advance

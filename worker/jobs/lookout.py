"""Looks for work again and again, beside the live events."""

import asyncio
from collections.abc import Awaitable, Callable

from worker.errors import StoreUnavailable
from worker.process.backlog import Backlog
from worker.process.backoff import Backoff
from worker.process.logs import get_logger
from worker.process.pause import pause

_log = get_logger()

_LONGEST_WAIT_SECONDS = 30.0
_BEHIND_PARCELS = 50
_BEHIND_SECONDS = 1.0


async def look_for_work(
    work_off: Callable[[asyncio.Event], Awaitable[None]],
    stop: asyncio.Event,
    *,
    task: str,
    every_seconds: float,
    longest_wait_seconds: float = _LONGEST_WAIT_SECONDS,
    tell_bug: Callable[[], None] | None = None,
) -> None:
    """Works off what there is until `stop` is set, and finishes its step then. Waits for Postgres while it is away.

    A bug of ours is told by `tell_bug`, and the work is tried again; without one it ends the task.
    """
    backoff = Backoff(first_seconds=every_seconds, longest_seconds=longest_wait_seconds)
    while not stop.is_set():
        try:
            await work_off(stop)
        except StoreUnavailable as error:
            _log.warning("task.failed", task=task, reason=str(error), wait_seconds=backoff.seconds)
            await backoff.wait(stop)
        except Exception:
            if tell_bug is None:
                raise
            tell_bug()
            await backoff.wait(stop)
        else:
            backoff.succeeded()
            await pause(stop, every_seconds)


async def may_go_on(backlog: Backlog, stop: asyncio.Event) -> bool:
    """True once live events are not behind; False once `stop` is set."""
    while not stop.is_set():
        if backlog.parcels <= _BEHIND_PARCELS:
            return True
        await pause(stop, _BEHIND_SECONDS)
    return False

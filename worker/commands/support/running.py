"""A long-running process from its start to its end: logging, event loop, signals."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from worker.commands.support.exit_code import ExitCode
from worker.process.interruption import SIGNALS, end_at_once_when_asked, end_interrupted
from worker.process.logs import configure_logging
from worker.settings.tree import Settings

T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818 - no error: what was being started is ended, and then the process is
    """Asked to end while there was nothing yet to finish. Comes out of no command: run_service ends the process."""


class Stop(asyncio.Event):
    """Set when the process is asked to end."""

    def __init__(self) -> None:
        super().__init__()
        self.finishes = True  # False while there is nothing yet that would have to be finished

    async def unless_set(self, starting: Coroutine[Any, Any, T]) -> T:
        """What `starting` gives; set before that, it is cancelled, and Interrupted raised once it has ended."""
        task = asyncio.ensure_future(starting)
        asked = asyncio.ensure_future(self.wait())
        self.finishes = False
        try:
            await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
            if task.cancelled():
                raise Interrupted
            return task.result()
        finally:
            self.finishes = True
            asked.cancel()
            if not task.done():
                task.cancel()


Work = Callable[[Stop], Awaitable[None]]
Service = Callable[[asyncio.Event], Awaitable[None]]


def run_service(settings: Settings, role: str, work: Work) -> int:
    """Runs `work` until it ends or a signal asks it to; gives the exit status.

    The first SIGTERM or SIGINT sets the event that `work` was handed, so that it finishes what it accepted. The
    second ends the process at once, and so does one that finds nothing to finish, once what was started is ended.
    Errors come out as they are.
    """
    configure_logging(
        level=settings.logs.level,
        json_lines=settings.logs.format == "json",
        show_addresses=settings.logs.show_addresses,
        process=role,
    )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(_until_stopped(work))
        except Interrupted:
            # No thread is waited for: one that still migrates a database of somebody else's would take its time.
            end_interrupted()
    return ExitCode.OK


async def run_together(stop: asyncio.Event, *services: Service) -> None:
    """Runs the services side by side. When one of them ends or fails, the others are asked to stop in good order.

    Raises what failed: the error itself when there is one, else an ExceptionGroup.
    """

    async def run(service: Service) -> None:
        try:
            await service(stop)
        finally:
            stop.set()

    outcomes = await asyncio.gather(*(run(service) for service in services), return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup("several services failed", errors)


async def _until_stopped(work: Work) -> None:
    stop = Stop()
    loop = asyncio.get_running_loop()

    def asked_to_stop() -> None:
        if stop.is_set():
            end_interrupted()  # what we started ends with us: the kernel sees to that
        stop.set()
        if stop.finishes and sys.stderr.isatty():
            print("\nbouncekeeper: finishing what was accepted; press Ctrl-C again to end at once", file=sys.stderr)  # noqa: T201 - the terminal

    for number in SIGNALS:
        loop.add_signal_handler(number, asked_to_stop)
    try:
        await work(stop)
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        end_at_once_when_asked()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    return uvloop.new_event_loop

"""A long-running process from its start to its end: logging, event loop, signals."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from worker.commands.support.exit_code import ExitCode
from worker.process.interruption import SIGNALS, end_at_once_when_asked, end_interrupted
from worker.process.logs import configure_logging
from worker.settings.tree import Settings
from worker.tracing.switch import tracing

T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818 - no error: what was being started is ended, and then the process is
    """The process must end and has nothing to finish yet. run_service catches this and ends the process."""


class Stop(asyncio.Event):
    """Set when the process must end."""

    def __init__(self) -> None:
        super().__init__()
        self.finishes = True  # False while there is no work to finish yet

    async def unless_set(self, starting: Coroutine[Any, Any, T]) -> T:
        """The result of `starting`. If this is set first, cancels it and raises Interrupted once it has ended."""
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
    """Runs `work` until it ends or a signal stops it; returns the exit status.

    The first SIGTERM or SIGINT sets `work`'s event, so that it finishes its accepted work. The second ends the process
    at once. If there is nothing to finish yet, the first one ends it after stopping the services that it started.
    Errors are passed on.
    """
    configure_logging(
        level=settings.logs.level,
        json_lines=settings.logs.format == "json",
        show_addresses=settings.logs.show_addresses,
        process=role,
    )
    with (
        tracing(settings.traces, settings.queue, role),
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
    ):
        try:
            runner.run(_until_stopped(work))
        except Interrupted:
            # This does not wait for threads: one may still be migrating a remote database.
            end_interrupted()
    return ExitCode.OK


async def run_together(stop: asyncio.Event, *services: Service) -> None:
    """Runs the services side by side. If one of them ends or fails, stops the others in order.

    Raises the error, or an ExceptionGroup if there are several.
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
            end_interrupted()  # the kernel ends our child processes
        stop.set()
        if stop.finishes and sys.stderr.isatty():
            print("\nbouncekeeper: finishing accepted work; press Ctrl-C again to end at once", file=sys.stderr)  # noqa: T201 - the terminal

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

"""A long-running process from its start to its end: logging, event loop, signals."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from worker.commands.exit_code import ExitCode
from worker.logs import configure_logging
from worker.settings_tree import Settings

Work = Callable[[asyncio.Event], Awaitable[None]]


def run_service(settings: Settings, role: str, work: Work) -> int:
    """Runs `work` until it ends or a signal asks it to; gives the exit status.

    The first SIGTERM or SIGINT sets the event that `work` was handed, so that it finishes what it accepted. The
    second ends the process at once. Errors come out as they are.
    """
    configure_logging(
        level=settings.logs.level,
        json_lines=settings.logs.format == "json",
        show_addresses=settings.logs.show_addresses,
        process=role,
    )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_stopped(work))
    return ExitCode.OK


async def run_together(stop: asyncio.Event, *services: Work) -> None:
    """Runs the services side by side. When one of them ends or fails, the others are asked to stop in good order.

    Raises what failed: the error itself when there is one, else an ExceptionGroup.
    """

    async def run(service: Work) -> None:
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
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked_to_stop() -> None:
        if stop.is_set():
            os._exit(ExitCode.INTERRUPTED)  # what we started ends with us: the kernel sees to that
        stop.set()
        if sys.stderr.isatty():
            print("\nbouncekeeper: finishing what was accepted; press Ctrl-C again to end at once", file=sys.stderr)  # noqa: T201 - the terminal

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    try:
        await work(stop)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    return uvloop.new_event_loop

"""Watches several processes: starts one again if it crashes, and ends all of them together."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial

from msgspec import Struct

from worker.commands.support.exit_code import ExitCode
from worker.commands.support.running import run_together
from worker.errors import StopTheProcess
from worker.local_services.process import asks_for_death_signal, signal_child
from worker.process.backoff import Backoff
from worker.process.interruption import MESSAGE
from worker.process.logs import get_logger

log = get_logger()

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 15.0
_HEALTHY_AFTER_SECONDS = 30.0
_GRACE_SECONDS = 30.0
_COLOURS = ("36", "32", "33", "35", "34", "31")
# A restart does not help after these: the same command line and configuration would fail again.
_FINAL = frozenset({ExitCode.USAGE, ExitCode.IMPOSSIBLE_SETTING})


class WatchedProcess(Struct, frozen=True, kw_only=True):
    """One process to keep alive."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


async def supervise(processes: Sequence[WatchedProcess], stop: asyncio.Event) -> None:
    """Keeps the processes alive until `stop`, then ends them in order.

    Prints their output line by line, each after the name of its process. Raises StopTheProcess if one of them ends
    with an exit code after which a restart does not help.
    """
    width = max(len(process.name) for process in processes)

    def prefix(number: int, name: str) -> _Prefix:
        return _Prefix(f"{name:<{width}} │ ", _COLOURS[number % len(_COLOURS)] if sys.stdout.isatty() else "")

    keeping = [partial(_keep_alive, process, prefix(number, process.name)) for number, process in enumerate(processes)]
    await run_together(stop, *keeping)


class _Prefix:
    """Writes lines after a process's name."""

    def __init__(self, text: str, colour: str) -> None:
        self._text = (f"\x1b[{colour}m{text}\x1b[0m" if colour else text).encode()

    def write(self, line: bytes) -> None:
        sys.stdout.buffer.write(self._text + line.rstrip(b"\n") + b"\n")
        sys.stdout.buffer.flush()


async def _keep_alive(watched: WatchedProcess, prefix: _Prefix, stop: asyncio.Event) -> None:
    backoff = Backoff(first_seconds=_FIRST_WAIT_SECONDS, longest_seconds=_LONGEST_WAIT_SECONDS)
    while not stop.is_set():
        started = time.monotonic()
        status = await _run_once(watched, prefix, stop)
        if stop.is_set():
            return
        if status in _FINAL:
            raise StopTheProcess(f"{watched.name} cannot run (exit code {status}): see its lines above")
        if time.monotonic() - started > _HEALTHY_AFTER_SECONDS:
            backoff.succeeded()
        log.warning("process.restarted", role=watched.name, exit_code=status, wait_seconds=backoff.seconds)
        await backoff.wait(stop)


async def _run_once(watched: WatchedProcess, prefix: _Prefix, stop: asyncio.Event) -> int:
    """Runs the process until it ends or `stop` is set; returns its exit status, negative for a signal."""
    process = await asyncio.create_subprocess_exec(
        *watched.command,
        env={**os.environ, **watched.environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches only this process, which ends the other in order
        preexec_fn=asks_for_death_signal(signal.SIGTERM),
        limit=1024 * 1024,  # a line longer than this is cut
    )
    reading = asyncio.create_task(_copy_lines(process, prefix, stop))
    ending = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            signal_child(process, signal.SIGTERM)
            await asyncio.wait({ending}, timeout=_GRACE_SECONDS)
        if not ending.done():
            prefix.write(f"did not end within {_GRACE_SECONDS:g} seconds and is killed".encode())
            signal_child(process, signal.SIGKILL)
        status = await ending
        await asyncio.wait({reading}, timeout=1)
        return status
    finally:
        signal_child(process, signal.SIGKILL)
        for task in (reading, ending, stopping):
            task.cancel()


async def _copy_lines(process: asyncio.subprocess.Process, prefix: _Prefix, stop: asyncio.Event) -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # a line longer than the limit is lost; the next one is read
            continue
        if not line:
            return
        if stop.is_set() and line.strip() == MESSAGE:
            continue  # it was still starting when we ended it: what there is to say we say ourselves
        prefix.write(line)

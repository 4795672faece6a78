"""A server program that we start and that never outlives us."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class ServiceProcess:
    """A running program with its output in a file.

    On Linux the kernel sends it `parent_death_signal` when the thread that started it dies, so even `kill -9` on us
    leaves nothing behind. Therefore start it from the main thread.
    """

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self._process = process
        self.log_path = log_path

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        *,
        log_path: Path,
        working_directory: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        parent_death_signal: signal.Signals = signal.SIGTERM,
    ) -> Self:
        """Starts the program in a session of its own: Ctrl-C in a terminal reaches only us."""
        # A server logs failed statements, and statements hold addresses, so only the owner may read the log.
        log_path.touch(mode=0o600)
        with log_path.open("ab") as log_file:
            process = subprocess.Popen(  # noqa: S603 - commands are built by this package, never from input
                command,
                cwd=working_directory,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
                preexec_fn=asks_for_death_signal(parent_death_signal),  # noqa: PLW1509 - only a prctl call
            )
        return cls(process, log_path)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """False once it has ended; this also reaps it."""
        return self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill_with_children(self) -> None:
        """Kills it and its children at once, if they still run."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def wait(self, *, timeout_seconds: float) -> bool:
        """True if it ends within that time."""
        deadline = time.monotonic() + timeout_seconds
        while self.running:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def last_lines(self, count: int = 15) -> str:
        """The end of its output, for an error message."""
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return f"(nothing readable in {self.log_path})"


def signal_child(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Sends a signal to a child of the event loop, if it still runs, and leaves its exit status to the loop.

    Before Python 3.13 asyncio's own `send_signal`, `terminate` and `kill` first ask the kernel whether the child has
    ended. If it has just done so, they take its exit status, and the loop, which comes too late, reports 255
    (https://github.com/python/cpython/issues/87744).
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def asks_for_death_signal(number: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that makes the kernel send this signal to the child when we die; None if it cannot."""
    if sys.platform != "linux":
        return None
    # Loaded before the fork: between fork and exec nothing may take a lock.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    value = int(number)

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, value)

    return ask


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def port_is_free(port: int) -> bool:
    """True if nobody listens on this port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def listens(port: int, host: str = "127.0.0.1") -> bool:
    """True if a program accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def command_of(pid: int) -> str:
    """The command line of a running process, or "" if there is no such process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    proc = Path(f"/proc/{pid}/cmdline")
    try:
        return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        listing = subprocess.run(  # noqa: S603 - a number is all that is filled in
            ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607 - where ps lies differs by system
            capture_output=True,
            text=True,
            check=False,
        )
        return listing.stdout.strip()

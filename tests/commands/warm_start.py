"""Starts commands from a process that has imported the program already: each is a fork of it, with its own files.

A command spends a third of a second of processor time on imports, and the tests run hundreds. What a fork does is what
`python -m worker` would do in the same folder with the same variables, up to its exit code.
"""

import atexit
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Final

from msgspec import Struct

from tests.docs.log_examples import keep_text

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_MOST_SECONDS: Final = 60
_FORK: Final = b"f"  # the whole request; its content comes in a file
_FAILED: Final = 1


class Outcome(Struct, frozen=True, kw_only=True):
    """What a command left."""

    status: int
    output: str
    errors: str


def run_command(words: tuple[str, ...], *, folder: Path, environment: dict[str, str]) -> Outcome:
    """Runs `bouncekeeper WORDS` to its end. Raises TimeoutError after a minute."""
    with TemporaryFile() as request, TemporaryFile() as output, TemporaryFile() as errors:
        request.write(json.dumps({"words": words, "folder": str(folder), "environment": environment}).encode())
        request.seek(0)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                _forker().fork([request.fileno(), output.fileno(), errors.fileno(), theirs.fileno()])
            ours.settimeout(_MOST_SECONDS)
            status = ours.recv(16)
        assert status, "the command was killed"
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode())
    for text in texts:
        keep_text(text)
    return Outcome(status=int(status), output=texts[0], errors=texts[1])


class _Forker:
    """The process that forks. It ends with the process of the tests."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.commands.warm_start", str(theirs.fileno())],
                cwd=REPOSITORY,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._one_at_a_time = Lock()

    def fork(self, files: list[int]) -> None:
        with self._one_at_a_time:
            socket.send_fds(self._socket, [_FORK], files)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


@cache
def _forker() -> _Forker:
    forker = _Forker()
    atexit.register(forker.close)
    return forker


def _serve(requests: socket.socket) -> None:
    _import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks: each reports its own end
    while True:
        kind, files, _, _ = socket.recv_fds(requests, len(_FORK), 4)
        if kind != _FORK:
            return
        if os.fork() == 0:
            requests.close()
            _become_command(*files)
        for file in files:
            os.close(file)


def _import_everything() -> None:
    import worker  # noqa: PLC0415 - the tests import this module as well, and need none of it

    for module in pkgutil.walk_packages(worker.__path__, "worker."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


def _become_command(request: int, output: int, errors: int, report: int) -> None:
    status = _FAILED
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with os.fdopen(request, "rb") as file:
            asked = json.loads(file.read())
        os.dup2(output, sys.stdout.fileno())
        os.dup2(errors, sys.stderr.fileno())
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        time.tzset()
        sys.argv = ["bouncekeeper", *asked["words"]]
        try:
            status = _status_of_main()
        except BaseException:  # noqa: BLE001 - as the interpreter does with what leaves a program: tests look for it
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os.write(report, b"%d" % status)
        os._exit(status)


def _status_of_main() -> int:
    from worker.__main__ import main  # noqa: PLC0415 - as above

    try:
        return main()
    except SystemExit as ended:  # as argparse ends a wrong command line
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as given:
        _serve(given)

"""Tests run side by side, in a process a core, each with services of its own; a test marked `alone` has the machine.

It is a plugin of pytest, and does nothing unless pytest-xdist shares the tests out (`-n auto`).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final

import pytest

from worker.local_services.rabbitmq import URL_VARIABLE

MOST_PROCESSES: Final = 4  # each starts a Postgres and a RabbitMQ of its own
_FOLDER: Final = "turns"  # what the processes are given: where they find the locks


class Turns:
    """Whose turn it is: many tests, or one that is alone.

    A test holds `room`, shared or alone. Who waits for it holds `gate`, so that a test that waits to be alone is
    overtaken by none.
    """

    def __init__(self, folder: Path) -> None:
        self._gate: IO[bytes] = (folder / "gate").open("ab")
        self._room: IO[bytes] = (folder / "room").open("ab")

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Waits for the turn, and ends it."""
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    def close(self) -> None:
        """Gives the files back."""
        self._gate.close()
        self._room.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Runs a test, with what it sets up, in its turn."""
        with self.turn(alone=item.get_closest_marker("alone") is not None):
            return (yield)


class Controller:
    """The process that shares the tests out and runs none."""

    def __init__(self, config: pytest.Config) -> None:
        self._folder = TemporaryDirectory(prefix="bouncekeeper-turns-")
        config.add_cleanup(self._folder.cleanup)

    def pytest_configure_node(self, node: Any) -> None:
        """Tells a process of tests where the locks are."""
        node.workerinput[_FOLDER] = self._folder.name


def shares_out(config: pytest.Config) -> bool:
    """True for the process that shares the tests out among others."""
    return bool(config.getoption("numprocesses", None)) and not hasattr(config, "workerinput")


def processes(config: pytest.Config) -> int:
    """How many processes share the tests out among them."""
    given = getattr(config, "workerinput", {"workercount": 1})
    return int(given["workercount"])


def how_many(*, fast: bool = False) -> int:
    """Processes for `-n auto`: one a core; none but the first one where all would use the one RabbitMQ given.

    One more if `fast`: what is left then waits for answers as often as it computes, and nothing in it measures time.
    """
    if URL_VARIABLE in os.environ:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores + fast, MOST_PROCESSES)


def register(config: pytest.Config) -> None:
    """Makes this process take its part."""
    if shares_out(config):
        config.pluginmanager.register(Controller(config), "controller")
    elif given := getattr(config, "workerinput", None):
        turns = Turns(Path(given[_FOLDER]))
        config.add_cleanup(turns.close)
        config.pluginmanager.register(turns, "turns")

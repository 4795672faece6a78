"""Ctrl-C while `make run` starts, at any moment: one line, exit status 130, nothing half-made for the next run."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.reading_order import what_make_runs
from tests.local_services.processes import command_lines
from tests.surroundings import REPOSITORY
from tests.waiting import wait_seconds, wait_until
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import free_port

ENDS_WITHIN_SECONDS = 20.0
COMES_UP_WITHIN_SECONDS = 90.0
_OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"}
ALLOWED = ("[info ", "[warning ")  # what it did until then


class Folder:
    """What a checkout has, installed; and a `make run` in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "deploy").symlink_to(REPOSITORY / "deploy")
        (path / ".venv").symlink_to(sys.prefix)
        self.postgres = path / ".data" / "postgres"
        self.said = path / "said"

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        ports = {"BOUNCEKEEPER_RECEIVER_PORT": str(free_port()), "BOUNCEKEEPER_API_PORT": str(free_port())}
        with self.said.open("wb") as said:
            return subprocess.Popen(
                command or ["sh", "-c", what_make_runs("run")],
                cwd=self.path,
                # Run by make itself, the make that is tried would print where it works.
                env={name: text for name, text in os.environ.items() if name not in _OF_MAKE} | ports,
                stdout=said,
                stderr=said,
                start_new_session=True,  # a group of its own: a terminal's interrupt reaches all of it
            )

    def require_one_line(self, process: "subprocess.Popen[bytes]") -> None:
        status = process.wait(timeout=ENDS_WITHIN_SECONDS)
        said = self.said.read_text()
        assert status == ExitCode.INTERRUPTED, said
        *before, last = said.splitlines()
        assert last == "bouncekeeper: interrupted"
        assert not [line for line in before if not any(word in line for word in ALLOWED)], said
        assert str(self.postgres) not in command_lines()
        self.said.unlink()

    def require_that_it_runs(self) -> None:
        process = self.start()

        def is_up() -> bool:
            assert process.poll() is None, self.said.read_text()
            return "End with Ctrl-C." in self.said.read_text()

        wait_until(is_up, "it to come up", seconds=COMES_UP_WITHIN_SECONDS, show=self.said.read_text)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == ExitCode.OK, self.said.read_text()


@contextmanager
def busy_machine() -> Iterator[None]:
    """Others want the processors too, two to each."""
    others = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2 * (os.cpu_count() or 1))]
    wait_seconds(0.2, "the scheduler gives each its share")
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.skipif(
    subprocess.run(["env", "--block-signal=INT", "true"], capture_output=True, check=False).returncode != 0,
    reason="this system's env cannot hold signals back",
)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "moments"), [(signal.SIGINT, (2, 4, 6, 8, 12, 20, 35, 50)), (signal.SIGTERM, (5, 30))]
)
def test_an_interrupt_in_the_first_moments_is_one_line(
    folder: Folder, number: signal.Signals, moments: tuple[int, ...]
) -> None:
    for hundredths in moments:
        process = folder.start()
        wait_seconds(hundredths / 100, "the moment of the interrupt")
        os.killpg(process.pid, number)
        status = process.wait(timeout=ENDS_WITHIN_SECONDS)
        # A shell that had not yet become our program is ended by the signal itself: a shell above calls that 130, too.
        if status != -number:
            folder.require_one_line(process)


@pytest.mark.slow
@pytest.mark.alone
def test_make_itself_ends_as_interrupted(folder: Folder) -> None:
    """It gets the same signal, and fails with another status where its recipe is gone before it has answered."""
    make = ["make", "--file", str(REPOSITORY / "Makefile"), "--old-file", ".venv/installed", "run"]
    for hundredths in range(40, 100, 5):
        process = folder.start(*make)
        wait_seconds(hundredths / 100, "it is interrupted at another moment each time")
        with busy_machine():  # there the recipe is gone before make has its turn
            os.killpg(process.pid, signal.SIGINT)
            status = process.wait(timeout=ENDS_WITHIN_SECONDS)
        said = folder.said.read_text()
        assert status == -signal.SIGINT, said  # a shell calls that 130
        assert said.count("\n") - sum(said.count(word) for word in ALLOWED) <= 2, said  # ours, and make's own
        assert "bouncekeeper: interrupted" in said


@pytest.mark.slow
@pytest.mark.parametrize(("number", "every"), [(signal.SIGINT, 1), (signal.SIGTERM, 4)])
def test_an_interrupt_at_each_stage_of_the_first_run_leaves_nothing_half_made(
    folder: Folder, number: signal.Signals, every: int
) -> None:
    stages: list[Callable[[], object]] = [
        (folder.path / ".data").exists,
        (folder.path / ".data" / "bouncekeeper.toml").exists,
        (folder.path / ".data" / "instance.json").exists,
        (folder.postgres / "password").exists,
        lambda: list(folder.postgres.glob("cluster.new.*")),
        lambda: list(folder.postgres.glob("cluster.new.*/data/base/1/*")),
        (folder.postgres / "cluster" / "PG_VERSION").exists,
        (folder.postgres / "cluster" / "postmaster.pid").exists,
        lambda: folder.said.exists() and "service.started" in folder.said.read_text(),  # then it migrates
    ]
    for reached in stages[::every]:
        if reached():  # by the run before, in the moment that it took to tell it
            continue
        process = folder.start()
        wait_until(reached, "the stage", seconds=COMES_UP_WITHIN_SECONDS, every_seconds=0.002)
        os.killpg(process.pid, number)
        folder.require_one_line(process)
    folder.require_that_it_runs()


@pytest.mark.slow
def test_a_kill_at_each_moment_of_the_first_run_leaves_nothing_half_made(folder: Folder) -> None:
    for tenths in (4, 7, 10, 14, 20):
        process = folder.start()
        wait_seconds(tenths / 10, "the moment of the kill")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=ENDS_WITHIN_SECONDS)
    folder.require_that_it_runs()


def test_a_command_that_asks_is_ended_in_one_line(tmp_path: Path) -> None:
    """It waits for standard input; anything else that takes its time is the same to it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "check", "-"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "BOUNCEKEEPER_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none"},
    )
    assert process.stderr is not None
    wait_until(lambda: caught(process.pid, signal.SIGINT), "a handler for the interrupt", seconds=ENDS_WITHIN_SECONDS)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=ENDS_WITHIN_SECONDS)
    assert (process.returncode, said) == (ExitCode.INTERRUPTED, "bouncekeeper: interrupted\n")


def caught(process_id: int, number: signal.Signals) -> bool:
    """True once the process has a handler of its own for the signal, and not Python's."""
    status = Path(f"/proc/{process_id}/status").read_text()
    mask = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1) and bool(mask >> (number - 1) & 1)

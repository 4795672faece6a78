"""What `up` says once it runs: commands that work as they are printed, and that it runs already when it does."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Thread

import pytest

from tests.waiting import wait_until
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import free_port

pytestmark = pytest.mark.slow

COMES_UP_WITHIN_SECONDS = 90.0
TOKENS = '[api]\ntokens = ["a-token-that-is-long-enough"]\n'
PATH = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"


class Welcome:
    """What a running `up` has said."""

    def __init__(self, text: str, ports: dict[str, str]) -> None:
        self.text = text
        self.ports = ports

    def command(self, name: str, number: int = 0) -> str:
        """The printed line, whole: what it is for stands in a comment of the shell's."""
        lines = [line.strip() for line in self.text.splitlines()]
        return [line for line in lines if f" {name} " in f" {line} "][number]


@contextmanager
def terminal_copied_to(file: Path) -> Iterator[int]:
    """A terminal; what is written to it comes into the file until everybody has closed it."""
    ours, theirs = pty.openpty()

    def copy() -> None:
        with os.fdopen(ours, "rb", buffering=0) as terminal, file.open("ab") as copied, suppress(OSError):
            while written := terminal.read(65536):  # Linux raises at the end
                copied.write(written)
                copied.flush()

    Thread(target=copy).start()
    yield theirs
    os.close(theirs)


@contextmanager
def running(folder: Path, *words: str, on_terminal: bool = False) -> Iterator[Welcome]:
    """`bouncekeeper up` with these words, started in this folder."""
    ports = {"BOUNCEKEEPER_RECEIVER_PORT": str(free_port()), "BOUNCEKEEPER_API_PORT": str(free_port())}
    said = folder / "said"
    with said.open("w") as file, terminal_copied_to(said) if on_terminal else nullcontext(file.fileno()) as output:
        process = subprocess.Popen(
            ["bouncekeeper", "up", *words],
            cwd=folder,
            env={**os.environ, **ports, "PATH": PATH, "COLUMNS": "60"},
            stdout=output,
            stderr=file,
        )

    def is_up() -> bool:
        assert process.poll() is None, said.read_text()
        return "End with Ctrl-C." in said.read_text()

    try:
        wait_until(is_up, "it to come up", seconds=COMES_UP_WITHIN_SECONDS, show=said.read_text)
        yield Welcome(said.read_text(), ports)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == ExitCode.OK


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """As somebody types it who knows of no variable."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": PATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def require_well(command: str, folder: Path, welcome: Welcome) -> None:
    done = run(command, folder)
    assert done.returncode == ExitCode.OK, f"{command}: {done.stdout}{done.stderr}"
    for port in welcome.ports.values():
        assert port not in done.stdout or f"ready at http://127.0.0.1:{port}" in done.stdout


def test_the_printed_commands_work_as_printed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with running(tmp_path) as welcome:
        assert welcome.command("check") == "bouncekeeper check jane@example.org    # may I mail her?"
        assert welcome.command("demo") == "bouncekeeper demo"
        require_well(welcome.command("check"), tmp_path, welcome)
        require_well(welcome.command("doctor"), tmp_path, welcome)
        require_well(welcome.command("doctor", 1), elsewhere, welcome)
        assert '"allowed":1' in run(welcome.command("curl"), tmp_path).stdout
        require_well(welcome.command("report"), tmp_path, welcome)
        assert "<html" in (tmp_path / "report.html").read_text()
        watching = welcome.command("watch").partition("#")[0]
        assert "queue age" in run(f"{watching} | head -n1", tmp_path).stdout


@pytest.mark.parametrize("words", [("--config", "of ours.toml"), ("--data-directory", "the data")])
def test_they_name_the_file_where_it_would_not_be_found(words: tuple[str, str], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "of ours.toml").write_text(f'data_directory = "data of ours"\n{TOKENS}')
    with running(tmp_path, *words) as welcome:
        assert "--config" in welcome.command("check")
        for folder in (tmp_path, elsewhere):
            require_well(welcome.command("check"), folder, welcome)
            require_well(welcome.command("doctor"), folder, welcome)


def test_they_name_both_where_file_and_folder_lie_apart(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(TOKENS)
    with running(tmp_path, "--config", "ours.toml", "--data-directory", "data") as welcome:
        require_well(welcome.command("doctor"), tmp_path, welcome)


def test_a_narrow_terminal_breaks_no_command(tmp_path: Path) -> None:
    folder = tmp_path / "a folder with a name that is longer than a line of the terminal has room for" / "ours"
    folder.mkdir(parents=True)
    with running(folder, on_terminal=True) as welcome:
        assert welcome.command("doctor", 1).endswith("    # the same from any other folder")
        require_well(welcome.command("doctor", 1), tmp_path, welcome)
        assert '"allowed":1' in run(welcome.command("curl"), folder).stdout


def test_the_second_one_says_that_it_runs_already_and_where(tmp_path: Path) -> None:
    with running(tmp_path) as welcome:
        done = run("bouncekeeper up", tmp_path)
        assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
        assert "Bouncekeeper is already running in .data (`up`, process " in done.stderr
        receiver, api = welcome.ports.values()
        assert f"ESPs post to http://127.0.0.1:{receiver}/webhooks/<source>" in done.stderr
        assert f"the API is at http://127.0.0.1:{api}" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_the_demo_says_that_its_ports_are_taken_by_another_instance(tmp_path: Path) -> None:
    with running(tmp_path) as welcome:
        receiver, api = welcome.ports.values()
        done = run(f"bouncekeeper demo --receiver-port {receiver} --api-port {api}", tmp_path)
        assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
        assert f"the instance that runs at http://127.0.0.1:{receiver} is not the demo's" in done.stderr
        assert "postgres.url" not in done.stderr

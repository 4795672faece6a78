"""A reader who follows the pages: a folder, a running instance, and a shell that does what the snippets say.

The README comes first, in an empty folder that has what a checkout has; the pages under docs/ find the folder and
the instance as the README leaves them. Little differs from what is printed:

- ports: 8025 and 8026 become free ones, in what is run, and back again in what it prints;
- `make run` is what the Makefile runs for it, without installing anything;
- a snippet with a line that this machine cannot or must not run (NOT_RUN_HERE) is only read: by the shell, which
  finds its syntax right, and by tests/docs/test_shell_snippets.py, which looks whether what it names exists.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import REPOSITORY, Snippet
from tests.waiting import wait_until
from worker.local_services.process import free_port

STAYS_RUNNING, IN_THE_END = "stays running", "in the end"
NOT_RUN_HERE = {
    "make test": "it is what runs this",
    "make bench": "takes many minutes",
    "make drill": "takes minutes; tests/faults runs it in a small size",
    "make stack": "tests/commands/test_cli_stack.py runs it",
    "make demo": "tests/commands/test_cli_stack.py runs it in a small size",
    "bouncekeeper demo": "as make demo",
    "bouncekeeper stack": "as make stack",
    "docker": "needs Docker",
    "kubectl": "needs a cluster",
    "helm": "needs a cluster; tests/deploy/test_chart.py renders the chart",
    "deploy/make-secrets": "is for docker compose",
    "deploy/upgrade": "needs Docker; tests/deploy/containers runs it",
    "bouncekeeper postgres deploy/restore": "refuses while the instance runs; tests/deploy/test_restore.py runs it",
    "pg_basebackup": "needs a server that lets itself be copied; tests/standby.py runs it",
    "rabbitmqctl": "needs RabbitMQ's programs",
    "aws": "needs an account",
    "git": "changes a checkout",
    "python -m tests": "takes many minutes",
}
_READY = "End with Ctrl-C."  # the last line of the welcome
_START_SECONDS, _EFFECT_SECONDS, _SNIPPET_SECONDS = 60.0, 15.0, 60.0
_CHECKOUT = ("Makefile", "deploy", "docs", "schemas", "worker", "tests", "pyproject.toml")


class Ran(Exception):  # noqa: N818 - raised to show a reader's screen
    """A snippet did not do what the page says."""


class Reader:
    """Runs snippets one after the other; variables that one sets are there in the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8025": str(free_port()), "8026": str(free_port())}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._state = folder / ".shell-state"
        for name in _CHECKOUT:
            (folder / name).symlink_to(REPOSITORY / name)
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "recipients.csv").write_text("jane@example.org,Jane\njohn@example.net,John\n")

    def is_running(self) -> bool:
        """True while what was started and stays running does so."""
        return any(process.poll() is None for process in self._processes)

    @property
    def log(self) -> str:
        """What the instance has said."""
        path = self.folder / "instance.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def follow(self, snippet: Snippet) -> None:
        """Runs the snippet, and raises AssertionError or Ran if it ends or prints otherwise than the page says."""
        if STAYS_RUNNING in snippet.directives or snippet.text.split() == ["make", "run"]:
            self._start(snippet)
            return
        expected = next(
            (int(word.removeprefix("ends with ")) for word in snippet.directives if word.startswith("ends with ")), 0
        )
        screen = ""

        def does_as_said() -> bool:
            nonlocal screen
            done = self._run(snippet)
            printed = self.as_printed(done.stdout)
            screen = (
                f"It ended with {done.returncode}, expected is {expected}; it printed:\n{printed}\n{done.stderr}\n"
                f"--- the instance\n{self.log[-2000:]}"
            )
            return done.returncode == expected and (snippet.output is None or is_like(printed, snippet.output))

        seconds = _EFFECT_SECONDS if IN_THE_END in snippet.directives else 0
        wait_until(does_as_said, f"{snippet.place} to print what the page shows", seconds=seconds, show=lambda: screen)

    def as_printed(self, text: str) -> str:
        """The text with the ports of the page."""
        for printed, port in self.ports.items():
            text = text.replace(f":{port}", f":{printed}")
        return text.replace(f"{self.folder}/", "")

    def stop(self) -> None:
        """Ends what stays running, as Ctrl-C would."""
        while self._processes:
            process = self._processes.pop()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=30)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
            "BOUNCEKEEPER_RECEIVER_PORT": self.ports["8025"],
            "BOUNCEKEEPER_API_PORT": self.ports["8026"],
        }

    def _script(self, snippet: Snippet) -> str:
        text = snippet.text
        for printed, port in self.ports.items():
            text = re.sub(rf"\b{printed}\b", port, text)
        text = re.sub(r"^make run\b", what_make_runs("run"), text, flags=re.MULTILINE)
        return (
            f"set -a; [ -e {self._state} ] && . {self._state}; trap 'export -p > {self._state}' EXIT\n"
            f"set -eu -o pipefail\n{text}"
        )

    def _run(self, snippet: Snippet) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", self._script(snippet)],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_SNIPPET_SECONDS,
            check=False,
        )

    def _start(self, snippet: Snippet) -> None:
        self.stop()
        with (self.folder / "instance.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", self._script(snippet)],
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)

        def is_ready() -> bool:
            if process.poll() is not None:
                raise Ran(f"{snippet.place} does not run:\n{self.log}")
            return _READY in self.log

        wait_until(is_ready, f"{snippet.place} to be ready", seconds=_START_SECONDS, show=lambda: self.log)
        printed = self.as_printed(self.log)
        if snippet.output is not None and not is_like(printed, f"…\n{snippet.output}\n…"):
            raise Ran(f"{snippet.place} prints something else than the page shows:\n{printed}")


def what_make_runs(target: str) -> str:
    """The last command of a make target, as make would run it."""
    make = shutil.which("make")
    if make is None:
        raise Ran("make is not installed, and the pages tell people to use it: apt-get install make")
    done = subprocess.run(
        [make, "--dry-run", "--always-make", "--silent", target],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1].strip()


def why_not_run(snippet: Snippet) -> str | None:
    """The reason why a shell snippet is only read, or None when it is run."""
    for line in snippet.text.splitlines():
        for command, reason in NOT_RUN_HERE.items():
            if re.match(rf"\s*(?:[A-Z_]+=\S+ )*(?:\w+=\$\()?(?:\.venv/bin/)?{re.escape(command)}\b", line):
                return reason
    return None


_DIFFERS_EACH_TIME = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z)?"), "<time>"),
    (re.compile(r"\d\d:\d\d:\d\d\.\d+"), "<time>"),
    (re.compile(r"\b\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d\b"), "<month>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<key>"),
    (re.compile(r"(?<![\d.])\d+\.\d{3,}\b"), "<number>"),
    (re.compile(r"\bafter \d+\.\d s\b"), "after <seconds>"),
    (re.compile(r"[ \t]+"), " "),
)


def is_like(printed: str, shown: str) -> bool:
    """True when both are the same but for times, ids, durations and spaces; a line `…` stands for any lines."""
    patterns = [".*" if line == "…" else re.escape(line) for line in _plain_lines(shown)]
    return re.fullmatch("\n?".join(patterns), "\n".join(_plain_lines(printed)), re.DOTALL) is not None


def _plain_lines(text: str) -> list[str]:
    for pattern, stands_for in _DIFFERS_EACH_TIME:
        text = pattern.sub(stands_for, text)
    return [line.strip() for line in text.splitlines() if line.strip()]

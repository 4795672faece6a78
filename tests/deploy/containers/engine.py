"""A Docker engine of our own: its bridges, addresses and published ports are in a network namespace of this process."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

_START_SECONDS = 60.0
_END_SECONDS = 120.0
_DOCKER = "/usr/bin/docker"  # Debian's: a newer client elsewhere may want a builder that is not there


class Engine:
    """Runs programs that speak to the engine, in one folder."""

    def __init__(self, work: Path, environment: Mapping[str, str]) -> None:
        self.work = work
        self._environment = environment

    def run(self, *words: str, folder: Path | None = None, check: bool = True) -> str:
        """What the program prints. Raises AssertionError with all that it says if it fails."""
        done = self.tried(*words, folder=folder)
        assert not check or done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout.strip()

    def tried(self, *words: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """The program's end, with standard output and error together."""
        return subprocess.run(
            words,
            cwd=folder or self.work,
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def started(self, *words: str, folder: Path) -> "subprocess.Popen[bytes]":
        """The program as it runs, in a process group of its own; what it says is lost."""
        return subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, **self._environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def inspect(self, container: str) -> Any:
        """The engine's whole description of a container."""
        (description,) = json.loads(self.run("docker", "inspect", container))
        return description


@contextmanager
def engine(work: Path, compose_plugin: Path) -> Iterator[Engine]:
    """The engine, with `docker compose`, inside the block; whatever it still runs in the end is ended."""
    plugins, programs = work / "docker-config" / "cli-plugins", work / "bin"
    for folder, name, target in ((plugins, "docker-compose", compose_plugin), (programs, "docker", Path(_DOCKER))):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    socket = work / "docker.sock"
    with (work / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(
            [
                "dockerd",
                *("--data-root", str(work / "data")),
                *("--exec-root", str(work / "exec")),
                *("--pidfile", str(work / "dockerd.pid")),
                *("--host", f"unix://{socket}"),
                *("--bip", "172.31.0.1/24"),
                *("--default-address-pool", "base=172.30.0.0/16,size=24"),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    environment = {
        "DOCKER_HOST": f"unix://{socket}",
        "DOCKER_CONFIG": str(plugins.parent),
        "DOCKER_BUILDKIT": "0",
        "COMPOSE_PROJECT_NAME": "bouncekeeper",
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    started = Engine(work, environment)
    try:

        def answers() -> bool:
            assert daemon.poll() is None, (work / "dockerd.log").read_text()[-2000:]
            return started.tried("docker", "info").returncode == 0

        wait_until(answers, "the Docker engine", seconds=_START_SECONDS, every_seconds=0.5)
        yield started
    finally:
        for container in started.tried("docker", "ps", "--quiet").stdout.split():
            started.tried("docker", "kill", container)
        daemon.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(_END_SECONDS)

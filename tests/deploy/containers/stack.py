"""docker-compose.yml as it is shipped, in a checkout of its own, with one source whose secret is a file."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import yaml

from tests.deploy.containers.engine import Engine
from tests.surroundings import REPOSITORY
from tests.waiting import wait_until
from worker.samples.postmark import PostmarkSamples

SOURCE = "shop"
_HEALTHY_SECONDS = 180.0
_WITH_SOURCES = ("receiver", "processor", "mailbox", "api", "migrate")


class Stack:
    """The checkout, and what an operator does in it."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.sender = PostmarkSamples()

    def check_out(self) -> None:
        """Fills the empty folder with what git knows here; then adds a source as docs/running.md says."""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, check=True).stdout
        packed = ["tar", "--null", "--create", "--files-from", "-"]
        archive = subprocess.run(packed, cwd=REPOSITORY, input=names, capture_output=True, check=True).stdout
        subprocess.run(["tar", "--extract"], cwd=self.folder, input=archive, check=True)
        self.run("deploy/make-secrets")
        (secret,) = self.sender.secrets_for_source()
        self.secret.write_text(secret.reveal())
        self.secret.chmod(0o600)
        self.add_to_configuration(
            f'[sources.{SOURCE}]\nprovider = "postmark"\nsecrets_files = ["/run/secrets/{SOURCE}"]\n'
        )
        override = {
            "services": {name: {"secrets": [SOURCE]} for name in _WITH_SOURCES},
            "secrets": {SOURCE: {"file": f"./deploy/secrets/{SOURCE}"}},
        }
        self.override.write_text(yaml.safe_dump(override))

    @property
    def override(self) -> Path:
        """What is the operator's own in docker-compose.yml."""
        return self.folder / "docker-compose.override.yml"

    @property
    def secret(self) -> Path:
        """The file with the source's secret."""
        return self.folder / "deploy" / "secrets" / SOURCE

    @property
    def api_token(self) -> str:
        """The administrator's."""
        return (self.folder / "deploy" / "secrets" / "api_token").read_text()

    def add_to_configuration(self, text: str) -> None:
        """As an editor does it: a new file in the place of the old one."""
        path = self.folder / "deploy" / "bouncekeeper.toml"
        edited = path.with_suffix(".edited")
        edited.write_text(path.read_text() + text)
        edited.replace(path)

    def make_new_version(self) -> None:
        """Another image, as after `git pull`."""
        with (self.folder / "worker" / "__init__.py").open("a") as file:
            file.write("# a newer version\n")

    def start_to_kill(self, *words: str) -> "subprocess.Popen[bytes]":
        """Starts the program in the checkout, in a process group of its own."""
        return self.engine.started(*words, folder=self.folder)

    def run(self, *words: str, check: bool = True) -> str:
        """Runs the program in the checkout."""
        return self.engine.run(*words, folder=self.folder, check=check)

    def compose(self, *words: str, check: bool = True) -> str:
        """Runs `docker compose`, mailbox included where all services are meant."""
        return self.run("docker", "compose", "--profile", "mailbox", *words, check=check)

    def containers(self, service: str, *, all_of_them: bool = False) -> list[str]:
        """The ids of a service's containers that run."""
        return self.compose("ps", "--quiet", *(["--all"] if all_of_them else []), service).split()

    def health(self, service: str) -> list[str]:
        """`healthy` and the like of each container."""
        found = [self.engine.inspect(container)["State"] for container in self.containers(service)]
        return [state.get("Health", {}).get("Status", "none") for state in found]

    def wait_until_healthy(self, *services: str) -> None:
        """Returns once each container of the services is healthy."""
        for service in services:
            wait_until(
                partial(self._is_healthy, service),
                f"{service} to be healthy",
                seconds=_HEALTHY_SECONDS,
                every_seconds=0.5,
                show=partial(self.compose, "logs", "--tail", "20", service),
            )

    def _is_healthy(self, service: str) -> bool:
        return set(self.health(service)) == {"healthy"}

    def used_receivers(self) -> int:
        """How many the front sends webhooks to."""
        ask = 'exec 3<>/dev/tcp/127.0.0.1/8024 && printf "GET /receivers HTTP/1.0\\r\\n\\r\\n" >&3 && tail -n1 <&3'
        answer = self.compose("exec", "--no-TTY", "front", "bash", "-c", ask, check=False)
        return int(answer) if answer.isdecimal() else 0

    def crash(self, container: str) -> None:
        """Kills what runs in it, as the kernel may: the engine starts it again, as its restart policy says."""
        os.kill(self.engine.inspect(container)["State"]["Pid"], signal.SIGKILL)

"""The production topology of the drill: real processes, started as the README says, killed as nobody wants."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from schemas.source import Source
from tests.waiting import until
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import ServiceProcess, free_port, listens
from worker.local_services.rabbitmq import RabbitMQ
from worker.settings.sources import write_source

_READY_SECONDS = 60.0
_CERTIFICATE = "sns.pem"


class Topology:
    """Two receivers with a port each, two processors, and the services that they use."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, rabbitmq: RabbitMQ) -> None:
        self.postgres = postgres
        self.rabbitmq = rabbitmq
        self.receiver_ports = [free_port(), free_port()]
        self.kills: dict[str, int] = {}
        self.stops: list[str] = []
        self._folder = folder
        self._commands: dict[str, tuple[list[str], Mapping[str, str]]] = {}
        self._processes: dict[str, ServiceProcess] = {}
        self._log_begins: dict[str, int] = {}  # where in its log the process that runs now begins

    async def start(self, sources: list[Source]) -> None:
        """Migrates, then starts every process and waits until the receivers listen."""
        config = self._folder / "bouncekeeper.toml"
        config.write_text(_configuration(self._folder, sources))
        environment = {
            "BOUNCEKEEPER_POSTGRES_URL": self.postgres.dsn,
            "BOUNCEKEEPER_QUEUE_ADAPTER": "rabbitmq",
            "BOUNCEKEEPER_QUEUE_URL": self.rabbitmq.url,
            "BOUNCEKEEPER_DATA_DIRECTORY": str(self._folder),
        }
        migrating = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker", "migrate", "--config", str(config), env={**os.environ, **environment}
        )
        assert await migrating.wait() == 0
        for number, port in enumerate(self.receiver_ports, start=1):
            self._commands[f"receiver-{number}"] = (
                [sys.executable, "-m", "worker", "receiver", "--config", str(config)],
                {**environment, "BOUNCEKEEPER_RECEIVER_PORT": str(port)},
            )
        for number in (1, 2):
            self._commands[f"processor-{number}"] = (
                [sys.executable, "-m", "worker", "processor", "--config", str(config)],
                environment,
            )
        for name in self._commands:
            self._spawn(name)
        for port in self.receiver_ports:
            await until(partial(listens, port), f"a receiver on port {port}", seconds=_READY_SECONDS)

    @property
    def names(self) -> list[str]:
        """What can be killed."""
        return sorted(self._commands)

    async def kill(self, name: str) -> None:
        """No warning, no last words."""
        process = self._processes[name]
        process.send(signal.SIGKILL)
        await process.wait(timeout_seconds=10)
        self.kills[name] = self.kills.get(name, 0) + 1

    def restart(self, name: str) -> None:
        """What a supervisor does."""
        self._spawn(name)

    async def stop(self) -> dict[str, int | None]:
        """Ends every process in good order, once it is at work; gives their exit statuses."""
        await self.all_started()
        for process in self._processes.values():
            process.send(signal.SIGTERM)
        for process in self._processes.values():
            if not await process.wait(timeout_seconds=30):
                process.send(signal.SIGKILL)
        return {name: process.exit_status for name, process in self._processes.items()}

    async def all_started(self) -> None:
        """Returns when every process that runs is at work."""
        for name in self._processes:
            await until(partial(self._has_started_or_ended, name), f"{name} to be at work", seconds=_READY_SECONDS)

    def count_in_log(self, name: str, text: str) -> int:
        """How often the process has said this."""
        return self._log_path(name).read_text().count(text)

    def last_lines(self, name: str) -> str:
        """The end of a process's log."""
        return self._processes[name].last_lines()

    def _has_started_or_ended(self, name: str) -> bool:
        return not self._processes[name].running or self._has_started(name)

    def _has_started(self, name: str) -> bool:
        """True when the process that runs now has said so: one that is still on its way cannot be asked to stop."""
        with self._log_path(name).open("rb") as log:
            log.seek(self._log_begins[name])
            return b'"process.started"' in log.read()

    def _log_path(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _spawn(self, name: str) -> None:
        command, environment = self._commands[name]
        self._log_begins[name] = self._log_path(name).stat().st_size if self._log_path(name).exists() else 0
        self._processes[name] = ServiceProcess.start(
            command,
            log_path=self._log_path(name),
            working_directory=Path.cwd(),
            environment={**os.environ, **environment},
        )


def _configuration(folder: Path, sources: list[Source]) -> str:
    """The sources as an operator writes them, with a file for the certificate that one of them pins."""
    for source in sources:
        for certificate in source.options.get("pinned_certificates", {}).values():
            (folder / _CERTIFICATE).write_text(certificate)
    return "\n".join(write_source(source, certificate_file=_CERTIFICATE) for source in sources)

"""The production topology of the drill: real processes, started as the README says, killed as nobody wants."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from schemas.source import Source
from tests.faults.clicks import SECRETS
from tests.waiting import until
from worker.local_services.process import ServiceProcess, free_port, listens
from worker.settings.sources import write_source

_READY_SECONDS = 60.0
_CERTIFICATE = "sns.pem"
_NOTHING: Mapping[str, str] = {}
CONFIGURED_TOKEN = "a-long-token-for-the-drill-alone"


class Topology:
    """Two receivers with a port each, two processors, perhaps APIs. Without RabbitMQ the queue is in Postgres."""

    def __init__(self, folder: Path, postgres_url: str, rabbitmq_url: str | None, *, apis: int = 0) -> None:
        self.receiver_ports = [free_port(), free_port()]
        self.api_ports = [free_port() for _ in range(apis)]
        self.kills: dict[str, int] = {}
        self.stops: list[str] = []
        self._folder = folder
        self._config = folder / "bouncekeeper.toml"
        self._environment = {
            "BOUNCEKEEPER_POSTGRES_URL": postgres_url,
            "BOUNCEKEEPER_QUEUE_ADAPTER": "postgres" if rabbitmq_url is None else "rabbitmq",
            **({} if rabbitmq_url is None else {"BOUNCEKEEPER_QUEUE_URL": rabbitmq_url}),
            "BOUNCEKEEPER_DATA_DIRECTORY": str(folder),
            "BOUNCEKEEPER_API_TOKENS": CONFIGURED_TOKEN,
            "BOUNCEKEEPER_UNSUBSCRIBE_SECRETS": ",".join(secret.reveal() for secret in SECRETS),
        }
        self._commands: dict[str, tuple[list[str], Mapping[str, str]]] = {}
        self._processes: dict[str, ServiceProcess] = {}
        self._log_begins: dict[str, int] = {}  # where in its log the process that runs now begins

    async def start(self, sources: list[Source]) -> None:
        """Migrates, then starts every process and waits until the receivers and the APIs listen."""
        self._config.write_text(_configuration(self._folder, sources))
        migrating = await self.run("migrate")
        _, errors = await migrating.communicate()
        assert migrating.returncode == 0, errors.decode()
        for number, port in enumerate(self.receiver_ports, start=1):
            self._add(f"receiver-{number}", "receiver", {"BOUNCEKEEPER_RECEIVER_PORT": str(port)})
        for number in (1, 2):
            self._add(f"processor-{number}", "processor")
        for number, port in enumerate(self.api_ports, start=1):
            self._add(f"api-{number}", "api", {"BOUNCEKEEPER_API_PORT": str(port)})
        for name in self._commands:
            self._spawn(name)
        for port in (*self.receiver_ports, *self.api_ports):
            await until(partial(listens, port), f"a process on port {port}", seconds=_READY_SECONDS)

    async def run(
        self, *words: str, postgres_url: str | None = None, has_input: bool = False
    ) -> asyncio.subprocess.Process:
        """A command that was started, in the same environment as the processes; what it prints can be read."""
        elsewhere = {} if postgres_url is None else {"BOUNCEKEEPER_POSTGRES_URL": postgres_url}
        return await asyncio.create_subprocess_exec(
            *self._command(*words),
            env={**os.environ, **self._environment, **elsewhere},
            stdin=asyncio.subprocess.PIPE if has_input else None,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def make_token(self) -> str:
        """The text of a token of the database."""
        making = await self.run("tokens", "create", "crm", "--account", "default", "--role", "operator")
        output, errors = await making.communicate()
        assert making.returncode == 0, errors.decode()
        return output.decode().strip()

    @property
    def names(self) -> list[str]:
        """What can be killed."""
        return sorted(self._commands)

    def names_of(self, role: str) -> list[str]:
        """The names of all receivers, processors or APIs."""
        return [name for name in self.names if name.startswith(f"{role}-")]

    async def end(self, name: str) -> None:
        """Ends the process in good order, as an operator does."""
        process = self._processes[name]
        process.send(signal.SIGTERM)
        assert await process.wait(timeout_seconds=30), f"{name} does not end"

    async def kill(self, name: str) -> None:
        """No warning, no last words."""
        process = self._processes[name]
        process.send(signal.SIGKILL)
        await process.wait(timeout_seconds=10)
        self.kills[name] = self.kills.get(name, 0) + 1

    def restart(self, name: str) -> None:
        """What a supervisor does."""
        self._spawn(name)

    @property
    def running(self) -> dict[str, int]:
        """The ids of the processes that run, by their names."""
        return {name: process.pid for name, process in self._processes.items() if process.running}

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

    def _add(self, name: str, command: str, environment: Mapping[str, str] = _NOTHING) -> None:
        self._commands[name] = (self._command(command), {**self._environment, **environment})

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "worker", *words, "--config", str(self._config)]

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

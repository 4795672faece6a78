"""Processes under measurement: started as an operator would start them, asked for their memory, ended by id."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.source import Source
from tests.benchmarks.machine import child_processes, peak_memory_mib
from worker.local_services.process import ServiceProcess, free_port, listens
from worker.settings.sources import write_source

_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
REPOSITORY = Path(__file__).parents[2]


class Server:
    """One started process with its children (gunicorn has some)."""

    def __init__(self, name: str, process: ServiceProcess, ports: Sequence[int]) -> None:
        self.name = name
        self.process = process
        self.ports = tuple(ports)

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        ports: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        working_directory: Path = REPOSITORY,
        ready_text: str = "",
    ) -> "Server":
        """The process, listening on its ports and having logged `ready_text`.

        Raises RuntimeError with the end of its log when it does not come so far.
        """
        log_path = folder / f"{name}.log"
        log_path.write_bytes(b"")
        process = ServiceProcess.start(
            command,
            log_path=log_path,
            working_directory=working_directory,
            environment={**os.environ, **(environment or {})},
        )
        server = cls(name, process, ports)
        deadline = time.monotonic() + _START_SECONDS
        while not await server._is_ready(ready_text):
            if not process.running or time.monotonic() > deadline:
                await server.stop()
                raise RuntimeError(f"{name} does not become ready; its log ends:\n{process.last_lines()}")
            await asyncio.sleep(0.05)
        return server

    async def _is_ready(self, ready_text: str) -> bool:
        if ready_text and ready_text not in self.process.log_path.read_text(errors="replace"):
            return False
        return all([await listens(port) for port in self.ports])

    @property
    def running(self) -> bool:
        """False once it has ended, which it should not before it is stopped."""
        return self.process.running

    def peak_memory_mib(self) -> float:
        """The most memory that it and its children had resident, each at its own worst moment, added up."""
        pids = [self.process.pid, *child_processes(self.process.pid)]
        return sum(peak_memory_mib(pid) or 0.0 for pid in pids)

    def cpu_seconds(self) -> float:
        """Processor time that it and its children have used so far."""
        pids = [self.process.pid, *child_processes(self.process.pid)]
        return sum(_cpu_seconds(pid) for pid in pids)

    async def stop(self) -> None:
        """Asks it to end, then makes it."""
        self.process.send(signal.SIGTERM)
        if not await self.process.wait(timeout_seconds=_STOP_SECONDS):
            self.process.send(signal.SIGKILL)
            await self.process.wait(timeout_seconds=_STOP_SECONDS)


async def stop_all(servers: Sequence[Server]) -> None:
    """Ends them all, last started first."""
    for server in reversed(servers):
        await server.stop()


def our_command(role: str, config_file: Path) -> list[str]:
    """The command line that an operator would use."""
    return [sys.executable, "-m", "worker", role, "--config", str(config_file)]


def write_config(
    file: Path,
    *,
    sources: Sequence[Source],
    postgres_url: str,
    queue_url: str,
    sections: Mapping[str, Mapping[str, int | float | str]] | None = None,
) -> int:
    """A configuration file with a free port for the receiver, which is given back."""
    port = free_port()
    tables: dict[str, dict[str, int | float | str]] = {
        "postgres": {"url": postgres_url},
        "queue": {"adapter": "rabbitmq", "url": queue_url},
        "receiver": {"port": port},
        "api": {"port": free_port()},
        # What an operator would run with in a busy installation: each line costs time, and so it should.
        "logs": {"level": "info"},
    }
    for name, table in (sections or {}).items():
        tables.setdefault(name, {}).update(table)
    lines = [f"data_directory = {json.dumps(str(file.parent / 'data'))}"]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    lines += ["", *(write_source(source) for source in sources)]
    file.touch(mode=0o600)
    file.write_text("\n".join(lines))
    return port


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

"""RabbitMQ in a container, if no binary is installed but a Docker engine runs."""

import asyncio
import contextlib
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote

from worker.errors import ImpossibleSetting
from worker.local_services.process import free_port, signal_child
from worker.local_services.rabbitmq import (
    CLEAR_MEMORY_ALARM,
    RAISE_MEMORY_ALARM,
    close_connections_expression,
    wait_until_ready,
)
from worker.process.logs import get_logger

log = get_logger()

IMAGE = "rabbitmq:4.1"
START_TIMEOUT_SECONDS = 180.0


class RabbitMQContainer:
    """A broker in a container. Closing this object removes the container and its data."""

    def __init__(self, name: str, port: int, password: str) -> None:
        self.owned = True
        self._name = name
        self._port = port
        self._password = password

    @classmethod
    async def start(cls, *, port: int | None = None) -> Self:
        """The container, ready for connections on 127.0.0.1."""
        container = cls(
            f"bouncekeeper-{secrets.token_hex(4)}", free_port() if port is None else port, secrets.token_hex(12)
        )
        try:
            await container._docker(
                *("run", "--detach", "--name", container._name, "--hostname", "bouncekeeper"),
                *("--publish", f"127.0.0.1:{container._port}:5672"),
                *("--env", "RABBITMQ_DEFAULT_USER=bouncekeeper"),
                *("--env", f"RABBITMQ_DEFAULT_PASS={container._password}"),
                IMAGE,
            )
            await wait_until_ready(container.url, timeout_seconds=START_TIMEOUT_SECONDS)
        except BaseException:
            with contextlib.suppress(ImpossibleSetting):  # it may not have been made yet
                await container.close()
            raise
        log.info("service.started", service="rabbitmq", address=f"127.0.0.1:{container._port}", folder=container._name)
        return container

    @property
    def url(self) -> str:
        """The AMQP URL of the virtual host `/`."""
        return self._url("/")

    async def create_virtual_hosts(self, names: Sequence[str]) -> list[str]:
        """Makes empty virtual hosts and gives back their URLs."""
        for name in names:
            await self._docker("exec", self._name, "rabbitmqctl", "add_vhost", name)
            await self._docker(
                *("exec", self._name, "rabbitmqctl", "set_permissions", "-p", name),
                *("bouncekeeper", ".*", ".*", ".*"),
            )
        return [self._url(name) for name in names]

    async def stop(self) -> None:
        """Ends it in order; the data stay for `restart`."""
        await self._docker("stop", "--time", "45", self._name)

    async def kill(self) -> None:
        """Ends it like a crash."""
        await self._docker("kill", self._name)

    async def restart(self) -> None:
        """The same broker with its data on the same port."""
        await self._docker("restart", "--time", "45", self._name)
        await wait_until_ready(self.url, timeout_seconds=START_TIMEOUT_SECONDS)

    async def pause(self) -> None:
        """Freezes it: connections stay open, but it does not answer until `resume`."""
        await self._docker("pause", self._name)

    async def resume(self) -> None:
        """Lets it go on after `pause`."""
        await self._docker("unpause", self._name)

    async def raise_memory_alarm(self) -> None:
        """Makes the broker block its publishers, as it does when it runs out of memory."""
        await self._docker("exec", self._name, "rabbitmqctl", "eval", RAISE_MEMORY_ALARM)

    async def clear_memory_alarm(self) -> None:
        """Lets publishers go on."""
        await self._docker("exec", self._name, "rabbitmqctl", "eval", CLEAR_MEMORY_ALARM)

    async def close_connections(self, times: int, *, pause_seconds: float) -> None:
        """Closes the connections of all clients so many times, with a pause before each."""
        expression = close_connections_expression(times, pause_seconds)
        await self._docker("exec", self._name, "rabbitmqctl", "eval", expression)

    async def close(self) -> None:
        """Ends it for good, with its data."""
        await self._docker("rm", "--force", "--volumes", self._name)
        log.info("service.stopped", service="rabbitmq", signal="rm")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _url(self, virtual_host: str) -> str:
        return f"amqp://bouncekeeper:{self._password}@127.0.0.1:{self._port}/{quote(virtual_host, safe='')}"

    async def _docker(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *("docker", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches us, and we end it
        )
        try:
            _, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                signal_child(process, signal.SIGTERM)
                await process.wait()
        if process.returncode != 0:
            raise ImpossibleSetting(
                f"`docker {arguments[0]}` failed: {complaint.decode(errors='replace').strip()[-400:]}. Mend Docker, or "
                "install rabbitmq-server."
            )


def docker_runs() -> bool:
    """True when a Docker engine answers."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0  # noqa: S603 - no input

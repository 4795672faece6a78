"""A RabbitMQ node of our own from the binaries on this machine: private folder, ports and name.

```
<data_directory>/
├── rabbitmq.conf  enabled_plugins  environment     written at each start
├── identity          node name, ports, user and password
├── mnesia/           queues and their logs; the file `unfinished` exists until they are complete
├── rabbitmq.log  epmd.log
└── lock              held while we run
```
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.local_services.folder import FolderLock, told_as_mistakes
from worker.local_services.process import ServiceProcess, free_port, port_is_free
from worker.local_services.rabbitmq import (
    CLEAR_MEMORY_ALARM,
    RAISE_MEMORY_ALARM,
    close_connections_expression,
    wait_until_ready,
)
from worker.local_services.whole_file import write_anew
from worker.process.logs import get_logger

log = get_logger()

START_TIMEOUT_SECONDS = 90.0
STOP_TIMEOUT_SECONDS = 45.0
_ANSWER_SECONDS = 0.5

# Debian's /usr/sbin/rabbitmq-server is a wrapper that changes the user and then cannot read private folders, so the
# script of the release itself is used.
_PLACES = (
    ("/usr/lib/rabbitmq/lib", "rabbitmq_server-*/sbin/rabbitmq-server"),
    ("/usr/local/opt/rabbitmq", "sbin/rabbitmq-server"),
    ("/opt/homebrew/opt/rabbitmq", "sbin/rabbitmq-server"),
    ("/opt", "rabbitmq*/sbin/rabbitmq-server"),
)

# `raft.wal_max_size_bytes`: a quorum queue's log is kept in memory up to this size; 512 MiB is the default.
_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = bouncekeeper
default_pass = {password}
loopback_users = none
log.console = true
log.console.level = warning
log.file = false
raft.wal_max_size_bytes = 134217728
collect_statistics = none
"""


class RabbitMQNode:
    """A broker that lives while this object does."""

    def __init__(self, data_directory: Path, server: Path) -> None:
        self.data_directory = data_directory.resolve()
        self.owned = True
        self._server = server
        self._lock = FolderLock(self.data_directory / "lock")
        self._node: ServiceProcess | None = None
        self._names: ServiceProcess | None = None
        self._identity: dict[str, str] = {}

    @classmethod
    async def start(cls, data_directory: Path, *, server: Path | None = None, port: int | None = None) -> Self:
        """The node, ready for connections on 127.0.0.1, with the data of an earlier run.

        Raises ImpossibleSetting if there is no server, it does not start, or the folder is in use or cannot be
        written to. If cancelled, it leaves nothing running and nothing incomplete.
        """
        script = server or find_server()
        if script is None:
            raise ImpossibleSetting("There is no RabbitMQ on this machine: install rabbitmq-server.")
        node = cls(data_directory, script)
        with told_as_mistakes(node.data_directory):
            node.data_directory.mkdir(parents=True, exist_ok=True)
            node._lock.acquire()
            try:
                node._forget_half_made_data()
                node._identity = node._remember_identity(port)
                await node._run()
            except BaseException:
                await node.close(signal.SIGKILL)  # on SIGTERM it would first finish starting
                raise
            node._unfinished.unlink(missing_ok=True)
        return node

    @property
    def url(self) -> str:
        """The AMQP URL of the virtual host `/`."""
        return self._url("/")

    @property
    def pid(self) -> int:
        """The process id of the Erlang machine."""
        if self._node is None:
            raise QueueUnavailable("The RabbitMQ node is not running: restart it first.")
        return self._node.pid

    async def create_virtual_hosts(self, names: Sequence[str]) -> list[str]:
        """Makes empty virtual hosts in one step and returns their URLs."""
        each = ", ".join(f'<<"{name}">>' for name in names)
        await asyncio.to_thread(
            self._evaluate,
            f'[begin ok = rabbit_vhost:add(Name, <<"bouncekeeper">>), '
            f'ok = rabbit_auth_backend_internal:set_permissions(<<"bouncekeeper">>, Name, <<".*">>, <<".*">>, '
            f'<<".*">>, <<"bouncekeeper">>) end || Name <- [{each}]].',
        )
        return [self._url(name) for name in names]

    async def raise_memory_alarm(self) -> None:
        """Makes the broker block its publishers, as it does when it runs out of memory."""
        await asyncio.to_thread(self._evaluate, RAISE_MEMORY_ALARM)

    async def clear_memory_alarm(self) -> None:
        """Lets publishers go on."""
        await asyncio.to_thread(self._evaluate, CLEAR_MEMORY_ALARM)

    async def close_connections(self, times: int, *, pause_seconds: float) -> None:
        """Closes the connections of all clients so many times, with a pause before each."""
        await asyncio.to_thread(self._evaluate, close_connections_expression(times, pause_seconds))

    async def stop(self) -> None:
        """Ends it in order; the data stay for `restart`."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Ends it like a crash."""
        await self._end(signal.SIGKILL)

    async def pause(self) -> None:
        """Freezes it: connections stay open, but it does not answer until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)

    async def resume(self) -> None:
        """Lets it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    async def restart(self) -> None:
        """Starts the same broker with its data on the same port; stops it first if it runs."""
        await self._end(signal.SIGTERM)
        await self._run()

    async def close(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends it for good."""
        await self._end(number)
        names, self._names = self._names, None
        if names is not None:
            names.send(signal.SIGTERM)
            await names.wait(timeout_seconds=STOP_TIMEOUT_SECONDS)
        self._lock.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _url(self, virtual_host: str) -> str:
        identity = self._identity
        return f"amqp://bouncekeeper:{identity['password']}@127.0.0.1:{identity['port']}/{quote(virtual_host, safe='')}"

    @property
    def _unfinished(self) -> Path:
        """There until the node has come up for the first time."""
        return self.data_directory / "unfinished"

    def _forget_half_made_data(self) -> None:
        """Removes data of an interrupted first start, which may lack the user, for example."""
        mnesia = self.data_directory / "mnesia"
        if self._unfinished.exists():
            shutil.rmtree(mnesia, ignore_errors=True)
        elif not mnesia.exists():
            self._unfinished.touch()

    def _remember_identity(self, port: int | None) -> dict[str, str]:
        path = self.data_directory / "identity"
        if path.exists():
            identity: dict[str, str] = json.loads(path.read_text())
        else:
            identity = {
                "node": f"bouncekeeper-{secrets.token_hex(4)}@localhost",
                "password": secrets.token_urlsafe(18),
                "port": str(free_port()),
            }
        # Only the name and the password belong to the data; ports may have been taken since.
        if port is not None:
            identity["port"] = str(port)
        elif not port_is_free(int(identity["port"])):
            identity["port"] = str(free_port())
        identity["distribution_port"] = str(free_port())
        identity["names_port"] = str(free_port())
        write_anew(path, json.dumps(identity))
        return identity

    def _environment(self) -> dict[str, str]:
        folder = self.data_directory
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))},
            "HOME": str(folder),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": self._identity["names_port"],
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._identity["node"],
            "RABBITMQ_DIST_PORT": self._identity["distribution_port"],
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # The script then replaces itself by the Erlang machine, so that the process we started is the node.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _write_configuration(self) -> None:
        folder = self.data_directory
        configuration = folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_CONFIGURATION.format(**self._identity))
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "environment").write_text("")
        (folder / "advanced.config").write_text("[].\n")

    async def _run(self) -> None:
        self._write_configuration()
        if self._names is None or not self._names.running:
            self._names = self._start_names()
            await self._names_listen()
        self._node = node = ServiceProcess.start(
            [str(self._server)],
            log_path=self.data_directory / "rabbitmq.log",
            working_directory=self.data_directory,
            environment=self._environment(),
            parent_death_signal=signal.SIGKILL,  # quorum queues survive it, and an orderly end would take long
        )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                await wait_until_ready(self.url, timeout_seconds=_ANSWER_SECONDS)
                break
            except QueueUnavailable as error:
                if node.running and time.monotonic() < deadline:
                    continue
                last_lines = node.last_lines(30)
                await self._end(signal.SIGKILL)
                raise ImpossibleSetting(
                    f"RabbitMQ ({self._server}) does not start in {self.data_directory}; its log ends:\n{last_lines}"
                ) from error
        log.info(
            "service.started",
            service="rabbitmq",
            address=f"127.0.0.1:{self._identity['port']}",
            folder=str(self.data_directory),
        )

    def _start_names(self) -> ServiceProcess:
        """Starts Erlang's name server for this node alone: a shared one would be left behind, or not be ours."""
        return ServiceProcess.start(
            [_find_epmd(), "-port", self._identity["names_port"], "-address", "127.0.0.1"],
            log_path=self.data_directory / "epmd.log",
            working_directory=self.data_directory,
            environment=self._environment(),
            parent_death_signal=signal.SIGKILL,
        )

    async def _names_listen(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while (  # noqa: ASYNC110 - another program's port cannot set an event of ours
            port_is_free(int(self._identity["names_port"])) and time.monotonic() < deadline
        ):
            await asyncio.sleep(0.02)

    async def _end(self, number: signal.Signals) -> None:
        node, self._node = self._node, None
        if node is None:
            return
        node.send(signal.SIGCONT)
        node.send(number)
        if not await node.wait(timeout_seconds=STOP_TIMEOUT_SECONDS):
            node.send(signal.SIGKILL)
            await node.wait(timeout_seconds=STOP_TIMEOUT_SECONDS)
        log.info("service.stopped", service="rabbitmq", signal=number.name)

    def _evaluate(self, expression: str) -> None:
        done = subprocess.run(  # noqa: S603 - expressions of this file
            [str(self._server.with_name("rabbitmqctl")), "-n", self._identity["node"], "eval", expression],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise QueueUnavailable(f"rabbitmqctl failed: {done.stderr.strip() or done.stdout.strip()}")


def find_server() -> Path | None:
    """The start script of the newest RabbitMQ on this machine, or None."""
    for folder, pattern in _PLACES:
        if scripts := sorted(Path(folder).glob(pattern), key=_version_of):
            return scripts[-1]
    on_path = shutil.which("rabbitmq-server")
    if on_path is None or Path(on_path).resolve().is_relative_to("/usr/sbin"):
        return None
    return Path(on_path).resolve()


def _version_of(script: Path) -> tuple[int, ...]:
    name = script.parent.parent.name
    return tuple(int(part) for part in name.partition("-")[2].split(".") if part.isdigit())


def _find_epmd() -> str:
    if path := shutil.which("epmd"):
        return path
    for pattern in ("erlang/erts-*/bin/epmd", "erlang/bin/epmd"):
        for library in ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib"):
            if places := sorted(Path(library).glob(pattern)):
                return str(places[-1])
    raise ImpossibleSetting("Erlang's name server epmd is missing: install Erlang again (Debian: erlang-base).")

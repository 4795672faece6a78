"""A streaming replica of a Postgres, made with Postgres' own programs as a user makes one; and servers of its like."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from tests.waiting import until
from worker.local_services.folder import ensure_enterable
from worker.local_services.postgres import UNPRIVILEGED_USER, EmbeddedPostgres, client_programs
from worker.local_services.process import ServiceProcess, free_port

USER = UNPRIVILEGED_USER if os.geteuid() == 0 else None
PROGRAMS = client_programs() or Path()
NAME = "standby"  # of the replica, as synchronous_standby_names asks for it
_SLOT = "standby"
_HASTY: Mapping[str, str] = {"fsync": "off"}
_NO_ADDRESS = "host=127.0.0.1 port=1"


class Standby:
    """A streaming replica, which can be taken off the wire and made the primary; it runs inside its block."""

    def __init__(self, folder: Path, primary: EmbeddedPostgres, *, settings: Mapping[str, str] = _HASTY) -> None:
        self.port = free_port()
        self.dsn = primary.dsn.replace(f":{primary.port}/", f":{self.port}/")
        self.both_dsn = primary.dsn.replace(f":{primary.port}/", f":{primary.port},127.0.0.1:{self.port}/")
        self.both_dsn += "?target_session_attrs=read-write"
        self._folder = folder
        self._primary = primary
        self._settings = settings
        self._process: ServiceProcess | None = None
        self._conninfo = ""

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._copy_primary)
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begins to stream; returns at once."""
        self._process = start_server(PROGRAMS, self._folder / "cluster", self.port, settings=self._settings)

    async def stop(self) -> None:
        """Ends in good order, if it runs."""
        if self._process is not None:
            await stop_server(self._process)
            self._process = None

    def _copy_primary(self) -> None:
        """A base backup, and the slot from which it will stream."""
        make_folder(self._folder)
        run(
            *("pg_basebackup", "--dbname", f"{self._primary.dsn_of('postgres')}?application_name={NAME}"),
            *("--pgdata", str(self._folder / "cluster"), "--write-recovery-conf", "--wal-method", "stream"),
            *("--create-slot", "--slot", _SLOT, "--checkpoint", "fast"),
        )

    async def has_all_of_the_primary(self) -> None:
        """Returns when it has replayed all that the primary has written until now."""
        position = await ask(self._primary.dsn, "SELECT pg_current_wal_lsn()::text")
        await answers(self.dsn, f"SELECT pg_last_wal_replay_lsn() >= '{position}'")

    async def make_synchronous(self) -> None:
        """From now on the primary commits nothing that the replica does not have."""
        server = self._primary.dsn_of("postgres")
        await ask(server, f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")
        await ask(server, "SELECT pg_reload_conf()")
        await answers(server, "SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication")

    async def lose_the_primary(self) -> None:
        """The network between the two is cut: nothing arrives any more."""
        self._conninfo = str(await ask(self.dsn, "SHOW primary_conninfo")).replace("'", "''")
        await ask(self.dsn, f"ALTER SYSTEM SET primary_conninfo = '{_NO_ADDRESS}'")
        await ask(self.dsn, "SELECT pg_reload_conf()")
        await answers(self.dsn, "SELECT NOT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')")

    async def find_the_primary(self) -> None:
        """The network is whole again."""
        await ask(self.dsn, f"ALTER SYSTEM SET primary_conninfo = '{self._conninfo}'")
        await ask(self.dsn, "SELECT pg_reload_conf()")

    async def promote(self) -> None:
        """It takes writes when this returns."""
        await ask(self.dsn, "SELECT pg_promote()")
        await answers(self.dsn, "SELECT NOT pg_is_in_recovery()")


def several_hosts(dsn: str, *, before: int) -> str:
    """The URL with another port of this machine in front, which asks for the host that takes writes."""
    begin, port = dsn.rsplit("@127.0.0.1:", 1)
    return f"{begin}@127.0.0.1:{before},127.0.0.1:{port}?target_session_attrs=read-write"


def make_folder(folder: Path) -> None:
    """A folder for the user that Postgres runs as."""
    folder.mkdir()
    ensure_enterable(folder / "cluster")
    if USER is not None:
        shutil.chown(folder, USER, USER)


def start_server(programs: Path, cluster: Path, port: int, *, settings: Mapping[str, str] = _HASTY) -> ServiceProcess:
    """Starts to serve the cluster on the port."""
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **settings}
    return ServiceProcess.start(
        [
            *(str(programs / "postgres"), "-D", str(cluster), "-p", str(port)),
            *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
        ],
        log_path=cluster.with_suffix(".log"),
        working_directory=Path("/"),
        user=USER,
        parent_death_signal=signal.SIGINT,
    )


async def stop_server(process: ServiceProcess) -> None:
    """Ends it in good order."""
    process.send(signal.SIGINT)
    assert await process.wait(timeout_seconds=30)


async def kill_server(process_id: int) -> None:
    """Kills the postmaster and all its sessions at once, as a machine that loses its power."""
    children = await asyncio.to_thread(_children_of, process_id)
    for number in (process_id, *children):
        with_signal(number, signal.SIGKILL)


def with_signal(process_id: int, number: signal.Signals) -> None:
    """Sends a signal to a process, if it still runs."""
    try:
        os.kill(process_id, number)
    except ProcessLookupError:
        return


def _children_of(process_id: int) -> list[int]:
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == process_id:
            children.append(int(stat.parent.name))
    return children


async def ask(dsn: str, question: str) -> object:
    """The first value of the answer; what is no question is done."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def answers(dsn: str, question: str) -> None:
    """Waits for the server to run, and to answer this question with yes."""

    async def is_so() -> bool:
        return bool(await ask(dsn, question))

    await until(is_so, f"yes to {question}", not_yet=(OSError, asyncpg.CannotConnectNowError))


def run(name: str, *arguments: str, programs: Path = PROGRAMS, folder: Path = Path("/")) -> None:
    """Runs one of Postgres' programs, which refuse to be root's."""
    done = subprocess.run(
        [str(programs / name), *arguments],
        user=USER,
        group=USER,
        extra_groups=None if USER is None else [],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""The feed after a replica took over, and after an upgrade of Postgres: with real servers of both kinds."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.store.test_status_feed import append, last_cursor, notes
from tests.waiting import until
from worker.errors import CursorGone
from worker.local_services.folder import ensure_enterable
from worker.local_services.postgres import UNPRIVILEGED_USER, EmbeddedPostgres, client_programs
from worker.local_services.process import ServiceProcess, free_port
from worker.store.migrations import migrate
from worker.store.pool import Pool, open_pool
from worker.store.status_feed import BEGINNING, changes_after

pytestmark = pytest.mark.slow

USER = UNPRIVILEGED_USER if os.geteuid() == 0 else None
PROGRAMS = client_programs() or Path()
EARLIER_PROGRAMS = PROGRAMS.parent.parent / "pginstall" / "bin"
SMALL = {"fsync": "off", "shared_buffers": "32MB", "max_wal_senders": "4"}


class Standby:
    """A streaming replica of a server, which can be taken off the wire and made the primary."""

    def __init__(self, folder: Path, primary: EmbeddedPostgres) -> None:
        self._folder = folder
        self._primary = primary
        self._port = free_port()
        self._process: ServiceProcess | None = None
        self.dsn = primary.dsn.replace(f":{primary.port}/", f":{self._port}/")

    def copy_primary(self) -> None:
        make_folder(self._folder)
        run(
            *("pg_basebackup", "--dbname", self._primary.dsn_of("postgres"), "--pgdata", str(self._folder / "cluster")),
            *("--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast"),
        )

    async def start(self) -> None:
        self._process = start_server(PROGRAMS, self._folder / "cluster", self._port)

    async def stop(self) -> None:
        if self._process is not None:
            await stop_server(self._process)
            self._process = None

    async def has_all_of_the_primary(self) -> None:
        connection = await asyncpg.connect(self._primary.dsn)
        try:
            position = await connection.fetchval("SELECT pg_current_wal_lsn()::text")
        finally:
            await connection.close()
        await answers(self.dsn, f"SELECT pg_last_wal_replay_lsn() >= '{position}'")


def make_folder(folder: Path) -> None:
    """A folder for the user that Postgres runs as."""
    folder.mkdir()
    ensure_enterable(folder / "cluster")
    if USER is not None:
        shutil.chown(folder, USER, USER)


def start_server(programs: Path, cluster: Path, port: int) -> ServiceProcess:
    return ServiceProcess.start(
        [
            *(str(programs / "postgres"), "-D", str(cluster), "-p", str(port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"),
        ],
        log_path=cluster.with_suffix(".log"),
        working_directory=Path("/"),
        user=USER,
        parent_death_signal=signal.SIGINT,
    )


async def stop_server(process: ServiceProcess) -> None:
    process.send(signal.SIGINT)
    assert await process.wait(timeout_seconds=30)


async def answers(dsn: str, question: str) -> None:
    """Waits for the server to run, and to answer this question with yes."""

    async def is_so() -> bool:
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            return bool(await connection.fetchval(question))
        finally:
            await connection.close()

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


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn, connections=2, command_timeout_seconds=30)
    try:
        yield pool
    finally:
        await pool.close()


async def add_contact(pool: Pool) -> int:
    number: int = await pool.fetchval(
        "INSERT INTO contacts (account, channel, address, first_seen_at)"
        " VALUES ('default', 'email', 'gone@example.org', now()) RETURNING id"
    )
    return number


@pytest.fixture
async def primary(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with await EmbeddedPostgres.start(tmp_path / "primary", settings=SMALL) as server:
        await migrate(server.dsn)
        yield server


@pytest.fixture
async def standby(tmp_path: Path, primary: EmbeddedPostgres) -> AsyncIterator[Standby]:
    replica = Standby(tmp_path / "standby", primary)
    await asyncio.to_thread(replica.copy_primary)
    await replica.start()
    try:
        yield replica
    finally:
        await replica.stop()


async def test_after_a_failover_readers_go_on_and_those_who_know_more_than_the_replica_begin_again(
    primary: EmbeddedPostgres, standby: Standby
) -> None:
    async with opened(primary.dsn) as pool:
        contact_id = await add_contact(pool)
        await append(pool, contact_id, "replicated and read")
        replicated = last_cursor(await changes_after(pool, BEGINNING, limit=10))
        await append(pool, contact_id, "replicated, without its place in the feed yet")
        await standby.has_all_of_the_primary()
        await standby.stop()
        await append(pool, contact_id, "lost with the primary")
        lost = last_cursor(await changes_after(pool, BEGINNING, limit=10))
    await primary.kill()
    await standby.start()
    await answers(standby.dsn, "SELECT true")

    async with opened(standby.dsn) as pool:
        await answers(standby.dsn, "SELECT pg_is_in_recovery()")
        assert await changes_after(pool, replicated, limit=10) == []  # it may be asked, and takes no writes
        await answers(standby.dsn, "SELECT pg_promote()")

        later = await changes_after(pool, replicated, limit=10)
        assert notes(later) == ["replicated, without its place in the feed yet"]
        for note in ("of the new primary", "more of it"):
            with pytest.raises(CursorGone):
                await changes_after(pool, lost, limit=10)
            await append(pool, contact_id, note)
        later = await changes_after(pool, last_cursor(later), limit=10)
        assert notes(later) == ["of the new primary", "more of it"]


@pytest.mark.skipif(not EARLIER_PROGRAMS.exists(), reason="the wheel brings no earlier Postgres")
async def test_a_reader_goes_on_after_an_upgrade_of_postgres(tmp_path: Path) -> None:
    home = tmp_path / "upgrade"
    make_folder(home)
    options = ("--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
    run("initdb", "--pgdata", str(home / "old"), *options, programs=EARLIER_PROGRAMS)
    run("initdb", "--pgdata", str(home / "new"), *options, "--no-data-checksums")
    async with served(EARLIER_PROGRAMS, home / "old") as dsn:
        await migrate(dsn)
        async with opened(dsn) as pool:
            contact_id = await add_contact(pool)
            for note in ("read before", "not read yet"):
                await append(pool, contact_id, note)
            cursor = last_cursor(await changes_after(pool, BEGINNING, limit=1))
            await append(pool, contact_id, "without its place yet")

    await asyncio.to_thread(
        run,
        *("pg_upgrade", "--old-bindir", str(EARLIER_PROGRAMS), "--new-bindir", str(PROGRAMS), "--no-sync"),
        *("--old-datadir", str(home / "old"), "--new-datadir", str(home / "new"), "--username", "postgres"),
        *("--socketdir", str(home)),
        folder=home,
    )

    async with served(PROGRAMS, home / "new") as dsn, opened(dsn) as pool:
        await append(pool, contact_id, "after the upgrade")
        later = await changes_after(pool, cursor, limit=10)
    assert notes(later) == ["not read yet", "without its place yet", "after the upgrade"]


@asynccontextmanager
async def served(programs: Path, cluster: Path) -> AsyncIterator[str]:
    """The cluster, running; gives the DSN of its database postgres."""
    port = free_port()
    process = start_server(programs, cluster, port)
    dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        await answers(dsn, "SELECT true")
        yield dsn
    finally:
        await stop_server(process)

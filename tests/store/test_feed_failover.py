"""The feed after a replica took over, and after an upgrade of Postgres: with real servers of both kinds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.standby import PROGRAMS, Standby, answers, make_folder, run, start_server, stop_server
from tests.store.test_status_feed import append, last_cursor, notes
from worker.errors import CursorGone
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.store.migrations import migrate
from worker.store.pool import Pool, open_pool
from worker.store.status_feed import BEGINNING, changes_after

pytestmark = pytest.mark.slow

EARLIER_PROGRAMS = PROGRAMS.parent.parent / "pginstall" / "bin"
SMALL = {"fsync": "off", "shared_buffers": "32MB", "max_wal_senders": "4"}


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
    async with Standby(tmp_path / "standby", primary) as replica:
        yield replica


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

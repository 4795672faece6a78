"""The former primary is fenced while its replica takes over: sessions of a URL that names both find the new one."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.standby import Standby, answers, ask, several_hosts
from tests.waiting import until
from worker.errors import ImpossibleSetting, StoreUnavailable
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.store.migrations import migrate
from worker.store.pool import Connection, open_pool
from worker.store.servers import connect

pytestmark = pytest.mark.slow

SMALL = {"fsync": "off", "shared_buffers": "32MB", "max_connections": "12"}


@pytest.fixture
async def primary(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with await EmbeddedPostgres.start(tmp_path / "primary", settings=SMALL) as server:
        yield server


@pytest.fixture
async def standby(tmp_path: Path, primary: EmbeddedPostgres) -> AsyncIterator[Standby]:
    async with Standby(tmp_path / "standby", primary) as replica:
        await answers(replica.dsn, "SELECT pg_is_in_recovery()")
        yield replica


def asking_for(attributes: str, standby: Standby) -> str:
    """The URL of both servers with this target_session_attrs."""
    return standby.both_dsn.replace("read-write", attributes)


async def port_of(dsn: str) -> object:
    """The port of the server at which a new session is opened."""
    session = await connect(dsn, timeout=10)
    try:
        return await session.fetchval("SELECT inet_server_port()")
    finally:
        await session.close()


async def make_read_only(server: EmbeddedPostgres) -> None:
    """What whoever fences a former primary does; open sessions stay."""
    await ask(server.dsn, "ALTER SYSTEM SET default_transaction_read_only = on")
    await ask(server.dsn, "SELECT pg_reload_conf()")
    await answers(server.dsn, "SELECT current_setting('default_transaction_read_only') = 'on'")


async def reject_everybody(cluster: Path, dsn: str) -> None:
    """The same by pg_hba.conf."""
    (cluster / "pg_hba.conf").write_text("host all all all reject\n")
    await ask(dsn, "SELECT pg_reload_conf()")

    async def is_rejected() -> bool:
        try:
            await ask(dsn, "SELECT true")
        except asyncpg.InvalidAuthorizationSpecificationError:
            return True
        return False

    await until(is_rejected, "the server to reject us")


async def take_all_sessions(dsn: str, taken: list[Connection]) -> None:
    """Adds sessions to `taken` until the server has no free one."""
    try:
        while True:
            taken.append(await asyncpg.connect(dsn))
    except asyncpg.TooManyConnectionsError:
        return


@pytest.mark.parametrize("attributes", ["primary", "any"])
async def test_sessions_leave_a_fenced_primary_whatever_the_url_asks_for(
    primary: EmbeddedPostgres, standby: Standby, attributes: str
) -> None:
    both = asking_for(attributes, standby)
    pool = await open_pool(both, connections=2, command_timeout_seconds=10)
    try:
        assert await pool.fetchval("SELECT inet_server_port()") == primary.port
        await make_read_only(primary)
        await standby.promote()

        async def is_at_the_new_primary() -> bool:
            await pool.execute("CREATE TABLE IF NOT EXISTS moved ()")
            return bool(await pool.fetchval("SELECT inet_server_port()") == standby.port)

        await until(is_at_the_new_primary, "the pool to move", not_yet=asyncpg.ReadOnlySQLTransactionError)
        assert await port_of(both) == standby.port
    finally:
        await pool.close()


async def test_if_no_server_takes_writes_one_is_read_from_unless_the_url_asks_for_writes(
    primary: EmbeddedPostgres, standby: Standby
) -> None:
    await make_read_only(primary)
    assert await port_of(asking_for("primary", standby)) == primary.port
    assert await port_of(asking_for("any", standby)) == primary.port
    with pytest.raises(ConnectionError, match=r"takes no writes.*takes no writes"):
        await port_of(standby.both_dsn)


async def test_a_primary_that_rejects_us_does_not_keep_sessions_from_the_new_one(
    primary: EmbeddedPostgres, standby: Standby, tmp_path: Path
) -> None:
    await reject_everybody(tmp_path / "primary" / "cluster", primary.dsn)
    # Until the promotion all wait: nothing is wrong with the URL.
    with pytest.raises(StoreUnavailable, match=r"pg_hba\.conf rejects.*takes no writes"):
        await open_pool(standby.both_dsn, connections=1, command_timeout_seconds=5)
    await standby.promote()
    assert await port_of(standby.both_dsn) == standby.port


async def test_a_server_without_a_free_session_does_not_keep_sessions_from_the_other(
    primary: EmbeddedPostgres, standby: Standby
) -> None:
    backwards = several_hosts(primary.dsn, before=standby.port)
    taken: list[Connection] = []
    try:
        await take_all_sessions(standby.dsn, taken)
        assert await port_of(backwards) == primary.port
        with pytest.raises(StoreUnavailable, match="too many clients"):
            await open_pool(several_hosts(standby.dsn, before=free_port()), connections=1, command_timeout_seconds=5)
    finally:
        for session in taken:
            await session.close()


async def test_if_every_server_rejects_us_the_setting_is_told_as_wrong(
    primary: EmbeddedPostgres, standby: Standby, tmp_path: Path
) -> None:
    await reject_everybody(tmp_path / "standby" / "cluster", standby.dsn)
    await reject_everybody(tmp_path / "primary" / "cluster", primary.dsn)
    with pytest.raises(ImpossibleSetting, match=r"pg_hba\.conf rejects .* Check user"):
        await open_pool(standby.both_dsn, connections=1, command_timeout_seconds=5)


@pytest.mark.parametrize("attributes", ["primary", "any"])
async def test_migrations_are_made_at_the_new_primary_though_the_former_one_is_fenced(
    primary: EmbeddedPostgres, standby: Standby, attributes: str
) -> None:
    await make_read_only(primary)
    await standby.promote()
    assert await migrate(asking_for(attributes, standby))
    assert await migrate(standby.dsn, dry_run=True) == []


async def test_migrations_are_made_at_the_new_primary_though_the_former_one_rejects_us(
    primary: EmbeddedPostgres, standby: Standby, tmp_path: Path
) -> None:
    await reject_everybody(tmp_path / "primary" / "cluster", primary.dsn)
    await standby.promote()
    assert await migrate(standby.both_dsn)
    assert await migrate(standby.dsn, dry_run=True) == []

"""`doctor` tells at which server the sessions are, and whether it takes writes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.standby import Standby, answers, ask
from worker.commands.support.doctor_server import look_at_server
from worker.local_services.postgres import EmbeddedPostgres
from worker.store.pool import open_pool
from worker.store.server_state import ServerState, server_state

SMALL = {"fsync": "off", "shared_buffers": "32MB"}


async def state_of(dsn: str) -> ServerState:
    pool = await open_pool(dsn, connections=1, command_timeout_seconds=10)
    try:
        return await server_state(pool)
    finally:
        await pool.close()


def told(state: ServerState) -> str:
    return " ".join(f"{finding.what}: {finding.detail}" for finding in look_at_server(state))


@pytest.fixture
async def primary(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with await EmbeddedPostgres.start(tmp_path / "primary", settings=SMALL) as server:
        yield server


@pytest.mark.slow
async def test_a_primary_its_replica_and_a_fenced_server_are_told_apart(
    primary: EmbeddedPostgres, tmp_path: Path
) -> None:
    assert told(await state_of(primary.dsn)) == f"postgres: version 18 at 127.0.0.1:{primary.port}, which takes writes"
    async with Standby(tmp_path / "standby", primary) as standby:
        await answers(primary.dsn, "SELECT count(*) = 1 FROM pg_stat_replication")
        assert "1 connected, none synchronous" in told(await state_of(primary.dsn))
        await standby.make_synchronous()
        assert "1 connected, commits wait for a synchronous one" in told(await state_of(standby.both_dsn))
        standby_is = await state_of(standby.dsn)
        assert f"127.0.0.1:{standby.port} is a standby and takes no writes" in told(standby_is)
        await standby.lose_the_primary()
        await answers(primary.dsn, "SELECT count(*) = 0 FROM pg_stat_replication")
        assert "no synchronous replica is connected" in told(await state_of(primary.dsn))

    await ask(primary.dsn, "ALTER SYSTEM SET default_transaction_read_only = on")
    await ask(primary.dsn, "SELECT pg_reload_conf()")
    await answers(primary.dsn, "SELECT current_setting('default_transaction_read_only') = 'on'")
    assert "is read-only (default_transaction_read_only) and takes no writes" in told(await state_of(primary.dsn))


async def test_an_old_server_and_commits_that_wait_for_nobody_are_told(postgres_dsn: str) -> None:
    state = await state_of(postgres_dsn)
    assert "version 14 at 127.0.0.1:1 is too old" in told(replace(state, version=14, place="127.0.0.1:1"))
    hasty = replace(state, wants_synchronous=True, waits_for_synchronous=False)
    assert "synchronous_commit lets commits not wait" in told(hasty)

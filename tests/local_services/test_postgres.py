import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import asyncpg
import pytest

from tests.local_services.processes import command_lines
from tests.waiting import until
from worker.errors import ImpossibleSetting
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import command_of

pytestmark = pytest.mark.slow


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _count(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM things")
        return count
    finally:
        await connection.close()


async def test_data_and_address_survive_a_stop_and_a_start(tmp_path: Path) -> None:
    async with await EmbeddedPostgres.start(tmp_path / "data") as first:
        dsn = first.dsn
        await _execute(dsn, "CREATE TABLE things AS SELECT generate_series(1, 7) AS thing")
    async with await EmbeddedPostgres.start(tmp_path / "data") as second:
        assert second.dsn == dsn
        assert await _count(dsn) == 7


async def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    async with await EmbeddedPostgres.start(tmp_path / "data") as postgres:
        await _execute(postgres.dsn, "CREATE TABLE things AS SELECT generate_series(1, 9) AS thing")
        await postgres.kill()
        with pytest.raises(OSError, match=r"Connect call failed|refused"):
            await asyncpg.connect(postgres.dsn)
        await postgres.restart()
        assert await _count(postgres.dsn) == 9


async def test_its_log_is_ours_alone_to_read_for_it_quotes_statements(tmp_path: Path) -> None:
    async with await EmbeddedPostgres.start(tmp_path / "data"):
        assert (tmp_path / "data" / "postgres.log").stat().st_mode & 0o777 == 0o600


async def test_a_password_guards_it(tmp_path: Path) -> None:
    async with await EmbeddedPostgres.start(tmp_path / "data") as postgres:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://postgres:wrong@127.0.0.1:{postgres.port}/bouncekeeper")


async def test_one_folder_serves_one_process_at_a_time(tmp_path: Path) -> None:
    async with await EmbeddedPostgres.start(tmp_path / "data"):
        with pytest.raises(ImpossibleSetting, match=f"in use by process {os.getpid()}"):
            await EmbeddedPostgres.start(tmp_path / "data")


async def test_settings_reach_the_server(tmp_path: Path) -> None:
    async with await EmbeddedPostgres.start(tmp_path / "data", settings={"work_mem": "7MB"}) as postgres:
        connection = await asyncpg.connect(postgres.dsn)
        try:
            assert await connection.fetchval("SHOW work_mem") == "7MB"
            assert await connection.fetchval("SHOW jit") == "off"
            assert await connection.fetchval("SHOW fsync") == "on"
        finally:
            await connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_it_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, pathlib, sys
        from worker.local_services.postgres import EmbeddedPostgres
        from worker.process.logs import configure_logging
        configure_logging(level="error")
        async def main():
            postgres = await EmbeddedPostgres.start(pathlib.Path(sys.argv[1]))
            print(postgres.pid, flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """)
    parent = subprocess.Popen(  # noqa: ASYNC220 - the starting takes no time
        [sys.executable, "-c", program, str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        assert "postgres" in command_of(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    # Whether or not it has ended by now, the next start copes.
    async with await EmbeddedPostgres.start(tmp_path / "data") as postgres:
        assert postgres.pid != pid
        assert "postgres" not in command_of(pid)


async def test_a_pid_file_that_names_a_stranger_is_no_hindrance(tmp_path: Path) -> None:
    async with await EmbeddedPostgres.start(tmp_path / "data") as postgres:
        await _execute(postgres.dsn, "CREATE TABLE things (thing int)")
        await postgres.kill()
    pid_file = tmp_path / "data" / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    sleeper = subprocess.Popen(["sleep", "600"])  # noqa: ASYNC220 - the starting takes no time
    try:
        pid_file.write_text("\n".join([str(sleeper.pid), *lines[1:]]))
        async with await EmbeddedPostgres.start(tmp_path / "data") as postgres:
            assert await _count(postgres.dsn) == 0
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


async def test_a_start_that_is_cancelled_leaves_nothing_running_and_nothing_half_made(tmp_path: Path) -> None:
    """Once while initdb runs, once while the server comes up."""
    folder = tmp_path / "data"
    for stage in ("cluster.new.*/data/PG_VERSION", "cluster/postmaster.pid"):
        starting = asyncio.create_task(EmbeddedPostgres.start(folder))
        await until(lambda stage=stage: list(folder.glob(stage)), stage, every_seconds=0.002)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert str(folder) not in command_lines()
        assert not list(folder.glob("cluster.new.*"))
    async with await EmbeddedPostgres.start(folder) as postgres:
        await _execute(postgres.dsn, "SELECT 1")

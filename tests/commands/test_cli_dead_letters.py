"""`dead-letters` as a person runs it whose user of Postgres lacks a right."""

from pathlib import Path

import pytest

from tests.commands.shell import Shell
from tests.commands.test_acts import a_dead_letter
from tests.process_roles import as_process
from worker.commands.support.exit_code import ExitCode
from worker.store.pool import WriterPool


@pytest.mark.slow
async def test_replay_without_the_right_to_put_says_once_what_is_missing(
    pool: WriterPool, database_dsn: str, tmp_path: Path
) -> None:
    letter = await a_dead_letter(pool)
    shell = Shell(folder=tmp_path, dsn=as_process(database_dsn, "operator"))
    await pool.execute("REVOKE INSERT ON parked_deliveries FROM bouncekeeper_operator")
    done = await shell.run("dead-letters", "replay", str(letter))
    assert done.status == ExitCode.IMPOSSIBLE_SETTING
    assert done.errors.count("permission denied for table parked_deliveries") == 1
    assert "postgres-roles.sql" in done.errors
    assert "postgres.rejected" not in done.errors
    shown = await shell.run("dead-letters", "list")
    assert str(letter) in shown.output, "the letter stays open"

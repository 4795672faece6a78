"""`migrate` as an operator meets it, where a former version has stored contacts under other spellings."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from tests.docs.log_examples import keep_text
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.instance import with_migrated_postgres
from worker.settings.configuration import load_settings
from worker.store.pool import Connection

pytestmark = pytest.mark.slow

PAIRS = 3000
CONTACTS = """
    INSERT INTO contacts (account, channel, address, status, first_seen_at)
    SELECT 'default', 'email', format(spelling, number), 'active', '2026-03-01Z'
      FROM generate_series(1, $1) AS number, unnest(ARRAY['n%s@example.org', '"n%s"@example.org']) AS spelling
     ORDER BY number, spelling DESC
"""
EVENTS = """
    INSERT INTO entries (occurred_at, rank, reader_version, entry_key, contact_id, machine, received_at, delivery_id,
        beside)
    SELECT timestamptz '2026-03-02Z' + id * interval '1 second', 40, 1, set_byte(decode(md5(id::text), 'hex'), 0, 128),
           id, false, '2026-03-02Z', gen_random_uuid(),
           '{"cause": "mailbox_does_not_exist", "provider": "postmark", "source": "main", "vendor_event": "bounce"}'
      FROM contacts WHERE address LIKE '"%'
"""


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Connection]:
    """Of each contact two spellings: one free, the other of a mailbox that does not exist."""
    connection = await asyncpg.connect(database_dsn)
    yield connection
    await connection.close()


async def fill(connection: Connection, pairs: int) -> None:
    await connection.execute(CONTACTS, pairs)
    await connection.execute(EVENTS)


async def start(dsn: str, *words: str, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "migrate", *words),
        cwd=folder,
        env={**os.environ, "BOUNCEKEEPER_POSTGRES_URL": dsn, "BOUNCEKEEPER_LOGS_FORMAT": "console"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def run(dsn: str, *words: str, folder: Path) -> tuple[int | None, str]:
    process = await start(dsn, *words, folder=folder)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def count(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM contacts"))


async def test_a_run_that_is_killed_is_finished_by_the_next(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    await fill(database, PAIRS)
    process = await start(database_dsn, folder=tmp_path)
    while await count(database) > 2 * PAIRS - 300:
        assert process.returncode is None
        await asyncio.sleep(0)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    left = await count(database) - PAIRS
    assert 0 < left < PAIRS

    code, output = await run(database_dsn, "--json", folder=tmp_path)

    assert code == ExitCode.OK
    assert json.loads(output)["contacts"]["joined"] == left
    assert await count(database) == PAIRS
    wrong = "SELECT count(*) FROM contacts WHERE status <> 'blocklisted' OR address LIKE '\"%'"
    assert await database.fetchval(wrong) == 0
    assert await database.fetchval("SELECT count(*) FROM log JOIN contacts ON id = contact_id") == PAIRS
    lines = "SELECT count(*), count(DISTINCT contact_id) FROM status_changes WHERE new_status = 'blocklisted'"
    assert tuple(await database.fetchrow(lines) or ()) == (PAIRS, PAIRS)


async def test_a_dry_run_says_what_would_be_joined_and_joins_nothing(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    assert await run(database_dsn, "--dry-run", folder=tmp_path) == (ExitCode.OK, "the database is up to date\n")
    await fill(database, 3)
    code, output = await run(database_dsn, "--dry-run", folder=tmp_path)
    assert (code, await count(database)) == (ExitCode.NO, 6)
    assert "0 would be renamed, 3 would be joined" in output
    code, output = await run(database_dsn, folder=tmp_path)
    assert (code, await count(database)) == (ExitCode.OK, 3)
    assert "0 renamed, 3 joined" in output
    assert await run(database_dsn, folder=tmp_path) == (ExitCode.OK, "the database is up to date\n")


async def test_who_starts_others_after_it_can_have_the_whole_configuration_checked_first(
    database_dsn: str, tmp_path: Path
) -> None:
    (tmp_path / "bouncekeeper.toml").write_text(
        '[queue]\nadapter = "postgres"\n[sources.shop]\nprovider = "sendgrid"\nsecrets_files = ["absent"]\n'
    )
    assert (await run(database_dsn, folder=tmp_path))[0] == ExitCode.OK
    code, output = await run(database_dsn, "--require-whole-configuration", "--json", folder=tmp_path)
    assert code == ExitCode.IMPOSSIBLE_SETTING
    assert "absent, which cannot be read" in json.loads(output)["error"]


async def test_in_a_container_every_line_is_json(database: Connection, database_dsn: str, tmp_path: Path) -> None:
    await fill(database, 3)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "migrate"),
        cwd=tmp_path,
        env={**os.environ, "BOUNCEKEEPER_POSTGRES_URL": database_dsn},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    keep_text(output.decode())
    lines = [json.loads(line) for line in output.splitlines()]
    assert {"event": "database.upgraded", "joined": 3, "migrations": []}.items() <= lines[-1].items()


async def test_a_dry_run_counts_the_contacts_of_a_database_that_is_yet_to_be_migrated(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    await fill(database, 3)
    await database.execute("DROP TABLE contact_spelling")
    await database.execute("DELETE FROM _yoyo_migration WHERE migration_id = '0010_contact_spelling'")
    code, output = await run(database_dsn, "--dry-run", folder=tmp_path)
    assert code == ExitCode.NO
    assert "would apply: 0010_contact_spelling" in output
    assert "3 would be joined" in output


async def test_a_dry_run_on_an_empty_database_names_all_there_is_to_do(postgres_dsn: str, tmp_path: Path) -> None:
    code, output = await run(postgres_dsn, "--dry-run", "--json", folder=tmp_path)
    assert code == ExitCode.NO
    told = json.loads(output)
    assert told["migrations"][0] == "0001_contacts_and_events"
    assert told["contacts"] == {"looked_at": 0, "renamed": 0, "joined": 0, "no_address": 0}


async def test_up_and_stack_join_them_before_anything_starts(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    await fill(database, 3)
    overrides = {"data_directory": str(tmp_path), "postgres.url": database_dsn}
    settings = load_settings(config_file=None, environment={}, overrides=overrides, needs=("postgres",))
    async with AsyncExitStack() as services:
        await with_migrated_postgres(settings, services)
    assert await count(database) == 3

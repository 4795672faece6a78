"""deploy/restore with real dumps into real servers: the feed goes on, and what fails leaves everything as it was."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
import yoyo
from psycopg.conninfo import conninfo_to_dict
from yoyo.backends import DatabaseBackend

from schemas.outgoing import StatusChanged
from tests.standby import several_hosts
from worker.errors import CursorGone, SchemaOutOfDate
from worker.local_services.postgres import EmbeddedPostgres, client_programs
from worker.local_services.process import free_port
from worker.store.migrations import require_current_schema
from worker.store.pool import set_codecs
from worker.store.status_feed import BEGINNING, changes_after

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
RESTORE = REPOSITORY / "deploy" / "restore"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def run(command: Sequence[str | Path], dsn: str, *, expected: int = 0, stdin: bytes = b"") -> str:
    """What the program prints, with libpq's variables set for this database."""
    options = conninfo_to_dict(dsn)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PG", "BOUNCEKEEPER_"))},
        "PATH": f"{client_programs()}:{os.environ['PATH']}",
        **{f"PG{name.upper()}": str(options[name]) for name in ("host", "port", "user", "password")},
        "PGDATABASE": str(options["dbname"]),
        "PGTARGETSESSIONATTRS": str(options.get("target_session_attrs", "any")),
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed = (await process.communicate(stdin))[0].decode(errors="replace")
    assert process.returncode == expected, printed
    return printed


async def dump(dsn: str, path: Path) -> Path:
    await run(["pg_dump", "--format", "custom", "--file", path], dsn)
    return path


async def databases(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn.rsplit("/", 1)[0] + "/postgres")
    try:
        name = dsn.rsplit("/", 1)[1]
        records = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", name)
        return {record["datname"] for record in records}
    finally:
        await connection.close()


async def change(dsn: str, *notes: str) -> None:
    """One more status change for each note."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO contacts (account, channel, address, first_seen_at)"
            " VALUES ('default', 'email', 'gone@example.org', $1) ON CONFLICT DO NOTHING",
            NOON,
        )
        for note in notes:
            await connection.execute(
                """
                INSERT INTO status_changes (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks,
                    cause, actor, note)
                SELECT id, $1, 'new', 'blocklisted', 'none', 'all', 'mailbox_does_not_exist', 'events', $2
                  FROM contacts
                """,
                NOON,
                note,
            )
    finally:
        await connection.close()


async def read(dsn: str, after: str = BEGINNING) -> list[StatusChanged]:
    connection = await asyncpg.connect(dsn)
    try:
        await set_codecs(connection)
        return await changes_after(connection, after, limit=1000)
    finally:
        await connection.close()


def notes(changes: Sequence[StatusChanged]) -> list[str | None]:
    return [change.note for change in changes]


@pytest.fixture
async def other_server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A cluster that has hardly done anything: its transaction numbers are lower than those of any other."""
    folder = tmp_path / "other"
    async with await EmbeddedPostgres.start(folder, settings={"fsync": "off", "shared_buffers": "32MB"}) as server:
        yield server


async def test_a_reader_goes_on_after_a_restore_into_a_cluster_with_lower_transaction_numbers(
    database_dsn: str, other_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    await use_up_transaction_numbers(database_dsn)
    await change(database_dsn, "1", "2", "3")
    first, second, third = await read(database_dsn)
    await change(database_dsn, "4, not in the feed yet")
    saved = await dump(database_dsn, tmp_path / "dump")

    said = await run([RESTORE, saved], other_server.dsn)

    assert "bouncekeeper is restored" in said
    assert await transaction_number(other_server.dsn) < await transaction_number(database_dsn)
    assert notes(await read(other_server.dsn, second.cursor)) == ["3", "4, not in the feed yet"]
    await change(other_server.dsn, "5, of the new server")
    assert notes(await read(other_server.dsn, third.cursor))[-1] == "5, of the new server"
    assert await read(other_server.dsn, first.cursor) == (await read(other_server.dsn))[1:]


async def test_of_several_hosts_the_one_that_takes_writes_is_restored(
    database_dsn: str, other_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    await change(database_dsn, "1")
    saved = await dump(database_dsn, tmp_path / "dump")

    await run([RESTORE, saved], several_hosts(other_server.dsn, before=free_port()))

    assert notes(await read(other_server.dsn)) == ["1"]


async def use_up_transaction_numbers(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "DO $$ BEGIN FOR number IN 1..2000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
        )
    finally:
        await connection.close()


async def transaction_number(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        number: str = await connection.fetchval("SELECT pg_current_xact_id()::text")
        return int(number)
    finally:
        await connection.close()


async def test_a_cursor_newer_than_the_backup_is_gone_and_stays_gone_when_new_changes_overtake_it(
    database_dsn: str, tmp_path: Path
) -> None:
    await change(database_dsn, "in the backup")
    (kept,) = await read(database_dsn)
    saved = await dump(database_dsn, tmp_path / "dump")
    await change(database_dsn, "lost", "lost too")
    *_, lost = await read(database_dsn)

    await run([RESTORE, saved], database_dsn)

    for note in ("one", "two", "three"):
        with pytest.raises(CursorGone, match="from its beginning"):
            await read(database_dsn, lost.cursor)
        await change(database_dsn, note)
    told = await read(database_dsn, kept.cursor)
    assert notes(told) == ["one", "two", "three"]
    # Whoever keeps a position for each contact, from messages alone, takes them for later than what was lost.
    positions = [int(change.cursor.split("-")[0]) for change in (kept, lost, *told)]
    assert positions == sorted(positions)


async def test_the_old_database_is_kept_under_another_name_or_dropped_when_asked(
    database_dsn: str, tmp_path: Path
) -> None:
    name = database_dsn.rsplit("/", 1)[1]
    await change(database_dsn, "old")
    saved = await dump(database_dsn, tmp_path / "dump")
    await change(database_dsn, "later")

    await run([RESTORE, "--drop-old", saved], database_dsn)
    assert await databases(database_dsn) == {name}

    await change(database_dsn, "later still")
    await run([RESTORE, "-", "--jobs", "1"], database_dsn, stdin=saved.read_bytes())
    assert notes(await read(database_dsn)) == ["old"]
    (kept,) = await databases(database_dsn) - {name}
    assert kept.startswith(f"{name}_before_20")
    assert notes(await read(database_dsn.replace(name, kept))) == ["old", "later still"]
    await run(["dropdb", kept], database_dsn)


async def test_nothing_is_touched_while_a_process_of_ours_is_connected(database_dsn: str, tmp_path: Path) -> None:
    await change(database_dsn, "still here")
    saved = await dump(database_dsn, tmp_path / "dump")
    processor = await asyncpg.connect(database_dsn, server_settings={"application_name": "bouncekeeper processor"})
    try:
        said = await run([RESTORE, saved], database_dsn, expected=1)
        assert "in use by: bouncekeeper processor. Stop receivers, processors, API and `mailbox` first" in said
        assert await processor.fetchval("SELECT note FROM status_changes") == "still here"
    finally:
        await processor.close()
    assert len(await databases(database_dsn)) == 1


@pytest.fixture
async def plain_owner(other_server: EmbeddedPostgres) -> str:
    """A database whose owner may make databases, but not look into other users' sessions; another user is there."""
    connection = await asyncpg.connect(other_server.dsn)
    try:
        await connection.execute("CREATE ROLE plain LOGIN CREATEDB PASSWORD 'plain'")
        await connection.execute("CREATE ROLE crm LOGIN PASSWORD 'crm'")
        await connection.execute("CREATE DATABASE plain OWNER plain")
    finally:
        await connection.close()
    dsn = dsn_of(other_server, "plain", "plain")
    await asyncio.to_thread(migrate_to, dsn, "9999")
    return dsn


def dsn_of(server: EmbeddedPostgres, user: str, database: str) -> str:
    options = conninfo_to_dict(server.dsn)
    return f"postgresql://{user}:{user}@{options['host']}:{options['port']}/{database}"


async def test_another_users_session_is_seen_by_an_owner_without_more_rights(
    plain_owner: str, other_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    saved = await dump(plain_owner, tmp_path / "dump")
    session = await asyncpg.connect(dsn_of(other_server, "crm", "plain"))
    try:
        said = await run([RESTORE, "--without-migrate", saved], plain_owner, expected=1)
        assert "plain is in use by: somebody" in said
        assert "nothing was changed" in said
    finally:
        await session.close()
    assert await databases(plain_owner) == {"plain"}
    await run([RESTORE, "--without-migrate", saved], plain_owner)


async def test_who_may_connect_is_as_before(plain_owner: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(plain_owner)
    try:
        await connection.execute("REVOKE ALL ON DATABASE plain FROM PUBLIC")
        await connection.execute("GRANT CONNECT, TEMPORARY ON DATABASE plain TO crm WITH GRANT OPTION")
    finally:
        await connection.close()
    before = await rights(plain_owner)
    saved = await dump(plain_owner, tmp_path / "dump")

    await run([RESTORE, "--without-migrate", "--drop-old", saved], plain_owner)

    assert await rights(plain_owner) == before
    assert ("crm", "CONNECT", True) in before
    assert not [right for right in before if right[0] == "PUBLIC"]


async def rights(dsn: str) -> set[tuple[str, str, bool]]:
    connection = await asyncpg.connect(dsn)
    try:
        records = await connection.fetch(
            """
            SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, privilege_type, is_grantable
              FROM pg_database, aclexplode(datacl) WHERE datname = current_database()
            """
        )
        return {(record[0], record[1], record[2]) for record in records}
    finally:
        await connection.close()


async def test_if_the_names_cannot_be_exchanged_it_says_what_is_left_and_how_to_go_on(
    plain_owner: str, other_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    saved = await dump(plain_owner, tmp_path / "dump")
    superuser = await asyncpg.connect(other_server.dsn)
    try:
        # Its user may still make databases, but no longer rename this one.
        await superuser.execute("ALTER DATABASE plain OWNER TO crm")
        said = await run([RESTORE, "--without-migrate", saved], plain_owner, expected=1)
        assert await databases(plain_owner) == {"plain", "plain_restoring"}
        assert "the restored database waits as plain_restoring" in said
        for statement in said.rpartition("rename both: ")[2].strip().split("; "):
            await superuser.execute(statement)
        (kept,) = await databases(plain_owner) - {"plain"}
        assert kept.startswith("plain_before_20")
    finally:
        await superuser.close()


async def test_a_dump_from_standard_input_is_not_put_into_memory(database_dsn: str, tmp_path: Path) -> None:
    saved = await dump(database_dsn, tmp_path / "dump")
    watching = tmp_path / "bin" / "mktemp"
    watching.parent.mkdir()
    watching.write_text('#!/bin/sh\necho "$@" >&2\nexec /usr/bin/mktemp "$@"\n')
    watching.chmod(0o755)
    path = f"{watching.parent}:{os.environ['PATH']}"
    command: list[str | Path] = ["env", f"PATH={client_programs()}:{path}"]
    restore: list[str | Path] = [RESTORE, "--without-migrate", "--drop-old", "-"]

    said = await run([*command, "--unset=TMPDIR", *restore], database_dsn, stdin=saved.read_bytes())
    assert said.startswith("-d /var/tmp/restore.")
    said = await run([*command, f"TMPDIR={tmp_path}", *restore], database_dsn, stdin=saved.read_bytes())
    assert said.startswith(f"-d {tmp_path}/restore.")
    assert not [name for name in os.listdir(tmp_path) if name.startswith("restore.")]  # noqa: PTH208 - in a coroutine
    said = await run([*command, f"TMPDIR={tmp_path}/none", *restore], database_dsn, expected=1)
    assert f"nothing can be written to {tmp_path}/none: set TMPDIR" in said


@pytest.mark.parametrize(
    ("kept_share", "complaint"),
    [(0.9, "could not be restored: see above; test_"), (0.02, "is no dump of pg_dump --format custom")],
)
async def test_a_dump_that_is_cut_off_leaves_the_old_database_as_it_was(
    database_dsn: str, tmp_path: Path, kept_share: float, complaint: str
) -> None:
    await change(database_dsn, *(f"{number} {os.urandom(200).hex()}" for number in range(300)))
    saved = await dump(database_dsn, tmp_path / "dump")
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(len(whole) * kept_share)])

    assert complaint in await run([RESTORE, saved], database_dsn, expected=1)
    assert len(await read(database_dsn)) == 300
    assert len(await databases(database_dsn)) == 1


async def test_a_dump_of_another_program_is_refused(postgres_dsn: str, database_dsn: str, tmp_path: Path) -> None:
    saved = await dump(postgres_dsn, tmp_path / "dump")
    said = await run([RESTORE, saved], database_dsn, expected=1)
    assert "is no dump of Bouncekeeper" in said


async def test_a_dump_of_an_earlier_version_is_brought_to_this_one(
    postgres_dsn: str, other_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    await asyncio.to_thread(migrate_to, postgres_dsn, "0003_replay_tokens")
    await change(postgres_dsn, "of an earlier version")
    saved = await dump(postgres_dsn, tmp_path / "dump")

    said = await run([RESTORE, saved], other_server.dsn)

    assert '"event":"database.upgraded"' in said
    assert "0004_event_identity" in said
    assert notes(await read(other_server.dsn)) == ["of an earlier version"]


async def test_without_migrating_the_database_stays_at_the_version_of_the_dump(
    postgres_dsn: str, tmp_path: Path
) -> None:
    """As in the Postgres container of docker compose, where the service `migrate` follows."""
    await asyncio.to_thread(migrate_to, postgres_dsn, "0003_replay_tokens")
    saved = await dump(postgres_dsn, tmp_path / "dump")
    await run([RESTORE, "--without-migrate", "--drop-old", "-"], postgres_dsn, stdin=saved.read_bytes())
    with pytest.raises(SchemaOutOfDate, match="0005"):
        await require_current_schema(postgres_dsn)


def migrate_to(dsn: str, last: str) -> None:
    """The database as the version left it whose last migration this was."""
    backend: DatabaseBackend = yoyo.get_backend(dsn.replace("postgresql:", "postgresql+psycopg:"))
    try:
        migrations = yoyo.read_migrations(str(REPOSITORY / "schemas" / "database"))
        with backend.lock():
            backend.apply_migrations(backend.to_apply(migrations.filter(lambda migration: migration.id <= last)))
    finally:
        backend.connection.close()


def test_help_says_how_it_is_called() -> None:
    said = subprocess.run([RESTORE, "--help"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("restore [--without-migrate]")
    assert "set -eu" not in said

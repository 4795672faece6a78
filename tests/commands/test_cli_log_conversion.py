"""`migrate` where a former version has stored events: they become entries of the log, whatever kills it when."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from schemas.entry import LASTING_KINDS
from schemas.vocabulary import Kind
from tests.schemas.feedback_events import START
from worker.commands.support.exit_code import ExitCode
from worker.errors import SchemaOutOfDate
from worker.store.migrations import migrate, require_current_schema
from worker.store.pool import Connection, set_codecs
from worker.store.readiness import missing_in_database
from worker.store.stored_entries import stored_entries

pytestmark = pytest.mark.slow

CONTACTS = 2000
DUE = "SELECT to_regclass('log_conversion') IS NOT NULL"
# As 0011_log.sql finds and leaves them.
FORMER_TABLES = """
    CREATE TABLE former_events (
        occurred_at timestamptz NOT NULL, event_key bytea NOT NULL, contact_id bigint, kind text NOT NULL,
        cause text NOT NULL, provider text NOT NULL, source text NOT NULL, vendor_event text NOT NULL,
        message_id text, smtp_code smallint, enhanced_status text, diagnostic text, scope text,
        machine boolean NOT NULL, received_at timestamptz NOT NULL, delivery_id uuid NOT NULL, tags text[],
        metadata jsonb, raw bytea NOT NULL, rank smallint, PRIMARY KEY (occurred_at, event_key)
    ) PARTITION BY RANGE (occurred_at);
    CREATE TABLE events_2026_03 PARTITION OF former_events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01');
    CREATE TABLE events_2026_04 PARTITION OF former_events FOR VALUES FROM ('2026-04-01') TO ('2026-05-01');
    CREATE TABLE former_kept_events (LIKE former_events, PRIMARY KEY (contact_id, event_key));
    CREATE TABLE log_conversion (table_name text PRIMARY KEY, next_block bigint NOT NULL);
"""
FILL_CONTACTS = """
    INSERT INTO contacts (account, channel, address, first_seen_at)
    SELECT 'default', 'email', 'user' || n || '@example.org', '2026-03-01Z' FROM generate_series(1, $1::integer) n
"""
# Of each contact all kinds of events in each month, and of every tenth one that names nobody beside it.
FILL_EVENTS = """
    INSERT INTO former_events
    SELECT month.since + c.id * interval '1 second' + k.rank * interval '1 hour',
           decode(md5(c.id || k.kind || month.since), 'hex'),
           CASE WHEN k.kind = 'other' AND c.id % 10 = 0 THEN NULL ELSE c.id END,
           k.kind, CASE WHEN k.kind = 'hard_bounce' THEN 'mailbox_full' ELSE 'none' END, 'postmark', 'main',
           k.kind || ' as they say it', 'm' || c.id, CASE WHEN k.kind = 'hard_bounce' THEN 552 END,
           CASE WHEN k.kind = 'hard_bounce' THEN '5.2.2' END, CASE WHEN k.kind = 'hard_bounce' THEN 'full — voll' END,
           CASE WHEN k.kind = 'unsubscribe' THEN 'news' END, k.kind = 'opened', month.since + interval '7 days',
           md5(c.id::text || k.kind)::uuid, CASE WHEN c.id % 2 = 0 THEN ARRAY['a', 'ü'] END,
           CASE WHEN c.id % 3 = 0 THEN jsonb_build_object('order', c.id) END,
           convert_to('{"kind": "' || k.kind || '", "padding": "' || repeat('x', 300) || '"}', 'UTF8'), k.rank
      FROM contacts c, kinds k, unnest(ARRAY['2026-03-01Z', '2026-04-01Z']::timestamptz[]) AS month (since)
     WHERE k.rank < 200
"""
KEEP = """
    INSERT INTO former_kept_events SELECT * FROM events_2026_03
     WHERE contact_id IS NOT NULL AND kind IN ('delivered', 'hard_bounce')
"""
AS_IT_WAS = "SELECT count(*) FROM former_copy"
SAME = (
    *("contact_id", "occurred_at", "kind", "cause", "provider", "source", "vendor_event", "message_id", "smtp_code"),
    *("enhanced_status", "diagnostic", "scope", "machine", "received_at", "delivery_id", "metadata"),
)
DIFFERENCES = f"""
    SELECT count(*)
      FROM former_copy f FULL JOIN (SELECT DISTINCT ON (entry_key) * FROM log) l ON l.entry_key = f.event_key
     WHERE ({", ".join(f"l.{name}" for name in SAME)}, l.tags) IS DISTINCT FROM
           ({", ".join(f"f.{name}" for name in SAME)}, to_jsonb(f.tags))
"""  # noqa: S608 - constants


@pytest.fixture
async def database(database_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_dsn)
    await set_codecs(connection)
    await connection.execute(FORMER_TABLES)
    yield connection
    await connection.close()


async def fill(connection: Connection, contacts: int = CONTACTS) -> int:
    """Gives how many events there are; `former_copy` holds them as they were."""
    await connection.execute(FILL_CONTACTS, contacts)
    await connection.execute(FILL_EVENTS)
    await connection.execute("CREATE TABLE former_copy AS SELECT * FROM former_events")
    await connection.execute(KEEP)
    return int(await connection.fetchval(AS_IT_WAS))


async def start(dsn: str, *words: str, folder: Path, **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", *(words or ("migrate",))),
        cwd=folder,
        env={
            **os.environ,
            "BOUNCEKEEPER_POSTGRES_URL": dsn,
            "BOUNCEKEEPER_QUEUE_ADAPTER": "postgres",
            "BOUNCEKEEPER_LOGS_FORMAT": "console",
            **settings,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(dsn: str, *words: str, folder: Path, **settings: str) -> tuple[int | None, str, str]:
    process = await start(dsn, *words, folder=folder, **settings)
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_every_event_comes_over_as_it_was(database: Connection, database_dsn: str, tmp_path: Path) -> None:
    events = await fill(database, 200)

    code, output, _ = await run(database_dsn, folder=tmp_path)

    assert code == ExitCode.OK
    assert f"events converted to the shape of this version: {events + 400:,}" in output  # those kept were there twice
    assert await database.fetchval(DIFFERENCES) == 0
    assert not await database.fetchval(DUE)
    tables = "SELECT (SELECT count(*) FROM nameless_events), (SELECT count(*) FROM kept_calm_events)"
    assert tuple(await database.fetchrow(tables) or ()) == (40, 200)
    assert await run(database_dsn, folder=tmp_path) == (ExitCode.OK, "the database is up to date\n", "")
    first = await database.fetchval("SELECT min(id) FROM contacts")
    raw = {entry.kind.value: getattr(entry, "raw", b"") for entry in await stored_entries(database, first)}
    assert json.loads(raw["hard_bounce"])["kind"] == "hard_bounce"
    assert raw["delivered"] == b""


async def test_all_that_vendors_wrote_comes_over_where_it_is_to_be_kept(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    await fill(database, 20)
    await run(database_dsn, folder=tmp_path, BOUNCEKEEPER_PROCESSOR_KEEP_RAW="all")
    contacts = await database.fetch("SELECT id FROM contacts")
    for (contact_id,) in contacts:
        for entry in await stored_entries(database, contact_id):
            assert json.loads(getattr(entry, "raw", b""))["kind"] == entry.kind


async def test_what_is_killed_goes_on_where_it_stopped_and_no_processor_starts_meanwhile(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    events = await fill(database)
    process = await start(database_dsn, folder=tmp_path)
    while not await database.fetchval("SELECT EXISTS (SELECT FROM log_conversion WHERE next_block > 0)"):
        assert process.returncode is None
        await asyncio.sleep(0)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert await database.fetchval(DUE)

    with pytest.raises(SchemaOutOfDate, match="run `bouncekeeper migrate`, which goes on where it stopped"):
        await require_current_schema(database_dsn)
    assert "run `bouncekeeper migrate`" in (await missing_in_database(database))[0]
    code, _, errors = await run(database_dsn, "processor", folder=tmp_path)
    assert code not in (None, ExitCode.OK)
    assert "run `bouncekeeper migrate`" in errors
    code, output, _ = await run(database_dsn, "migrate", "--dry-run", "--json", folder=tmp_path)
    assert code == ExitCode.NO
    assert 0 < json.loads(output)["events"] < events + 2 * CONTACTS

    code, output, _ = await run(database_dsn, "migrate", "--json", folder=tmp_path)

    assert code == ExitCode.OK
    assert await database.fetchval(DIFFERENCES) == 0
    assert await database.fetchval("SELECT count(*) FROM entries") == CONTACTS * len(LASTING_KINDS & set(Kind)) * 2
    await require_current_schema(database_dsn)


async def test_two_that_run_at_once_convert_each_event_once(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    events = await fill(database, 600)
    outputs = await asyncio.gather(*(run(database_dsn, "migrate", "--json", folder=tmp_path) for _ in range(2)))
    assert [(code, errors if code else "") for code, _, errors in outputs] == [(ExitCode.OK, "")] * 2
    assert sum(json.loads(output)["events"] for _, output, _ in outputs) == events + 2 * 600
    assert await database.fetchval(DIFFERENCES) == 0


async def test_a_dry_run_says_how_many_events_there_are_and_converts_none(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    events = await fill(database, 10)
    code, output, _ = await run(database_dsn, "migrate", "--dry-run", folder=tmp_path)
    assert code == ExitCode.NO
    assert f"about {events + 20:,} events would be converted" in output
    assert await database.fetchval("SELECT count(*) FROM log") == 0


async def test_an_event_of_a_newer_version_stops_it_and_says_what_to_do(
    database: Connection, database_dsn: str, tmp_path: Path
) -> None:
    await fill(database, 10)
    await database.execute(
        "UPDATE former_events SET kind = 'teleported' WHERE occurred_at >= '2026-04-01' AND rank = 40"
    )
    code, _, errors = await run(database_dsn, folder=tmp_path)
    assert code not in (None, ExitCode.OK)
    assert "'teleported'" in errors
    assert "migrate with that version" in errors
    assert await database.fetchval(DUE)


async def test_a_new_database_has_nothing_to_convert(postgres_dsn: str) -> None:
    await migrate(postgres_dsn)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        assert not await connection.fetchval(DUE)
        assert await connection.fetchval("SELECT to_regclass('former_events') IS NULL")
    finally:
        await connection.close()


async def test_the_tables_of_the_version_before_become_former_ones(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    folder = files("schemas") / "database"
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    try:
        for name in names:
            if name.startswith("0011"):
                await connection.execute(
                    "CREATE TABLE events_2026_03 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')"
                )
                await connection.execute(
                    "INSERT INTO events (occurred_at, event_key, kind, cause, provider, source, vendor_event, machine,"
                    " received_at, delivery_id, raw) VALUES ($1, '\\x01', 'other', 'none', 'p', 's', 'v', false, $1,"
                    " gen_random_uuid(), '')",
                    START,
                )
            await connection.execute((folder / name).read_text("utf-8"))
        assert await connection.fetchval(DUE)
        assert await connection.fetchval("SELECT count(*) FROM former_events") == 1
    finally:
        await connection.close()

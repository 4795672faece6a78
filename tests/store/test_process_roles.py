"""Each process works with its own role's rights, and what it must never do Postgres refuses.

That they are enough is proved elsewhere: the processors, the API and the queue of the other tests have these rights.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.process_roles import PROCESSES, ROLES_FILE, as_process, make_roles
from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.queue.postgres import PostgresWriter
from worker.store.migrations import give_rights, migrate
from worker.store.pool import store_errors
from worker.store.writer_pool import open_writer_pool

SCHEMA = [
    "CREATE TABLE mine (id bigint)",
    "ALTER TABLE contacts ADD COLUMN mine text",
    "DROP TABLE contacts",
    "TRUNCATE contacts",
    "CREATE INDEX ON contacts (status)",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "DELETE FROM _yoyo_migration",
    "CREATE ROLE mine",
]
MONTHS = [
    "SELECT make_month_of_calm_events('2031-05-01Z')",
    "SELECT retire_month_of_calm_events('2026-01-01Z')",
    "SELECT drop_month_of_calm_events('2026-01-01Z')",
]
READS = [
    "SELECT count(*) FROM contacts",
    "SELECT count(*) FROM entries",
    "SELECT count(*) FROM tokens",
    "SELECT count(*) FROM parked_deliveries",
    "SELECT count(*) FROM dead_letters",
]
FORBIDDEN = {
    "receiver": [
        *SCHEMA,
        *MONTHS,
        *READS,
        "UPDATE parked_deliveries SET lent_to = 1",
        "DELETE FROM parked_deliveries",
        "INSERT INTO parked_deliveries (lane, parcel, death_reason) VALUES ('live', '', 'mine')",
        "UPDATE contacts SET status = 'new'",
        "INSERT INTO tokens (name) VALUES ('mine')",
    ],
    "processor": [
        *SCHEMA,
        "SELECT count(*) FROM tokens",
        "UPDATE tokens SET revoked_at = NULL",
        "INSERT INTO kinds (rank, kind) VALUES (999, 'mine')",
    ],
    "api": [
        *SCHEMA,
        *MONTHS,
        "SELECT parcel FROM parked_deliveries",
        "INSERT INTO parked_deliveries (lane, parcel) VALUES ('live', '')",
        "SELECT count(*) FROM replay_tokens",
        "DELETE FROM contacts",
        "DELETE FROM entries",
        "UPDATE entries SET rank = 1",
        "INSERT INTO entries (contact_id, delivery_id) VALUES (1, gen_random_uuid())",
        "INSERT INTO entries (contact_id, raw) VALUES (1, '')",
        "INSERT INTO entries SELECT * FROM entries",
        "DELETE FROM status_changes",
        "DELETE FROM acts",
        "INSERT INTO calm_events (contact_id) VALUES (1)",
        "INSERT INTO tokens (name) VALUES ('mine')",
        "UPDATE tokens SET role = 'administrator'",
        "UPDATE policies SET name = 'mine'",
        "UPDATE accounts SET time_zone = 'UTC'",
        "UPDATE dead_letters SET replayed_at = now()",
        "INSERT INTO jobs (kind) VALUES ('mine')",
    ],
    "operator": SCHEMA[:-2],
    "reader": [
        *SCHEMA,
        *MONTHS,
        "SELECT count(*) FROM tokens",
        "SELECT count(*) FROM parked_deliveries",
        "SELECT count(*) FROM dead_letters",
        "UPDATE contacts SET status = 'new'",
        "DELETE FROM entries",
        "INSERT INTO entries (contact_id) VALUES (1)",
    ],
}


@pytest.fixture
async def owner(database_dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_dsn)
    yield connection
    await connection.close()


async def is_refused(connection: "asyncpg.Connection[asyncpg.Record]", statement: str) -> bool:
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


@pytest.mark.parametrize("process", PROCESSES)
async def test_what_a_process_must_not_do_is_refused(database_dsn: str, process: str) -> None:
    connection = await asyncpg.connect(as_process(database_dsn, process))
    try:
        for statement in FORBIDDEN[process]:
            assert await is_refused(connection, statement), f"{process} may {statement}"
    finally:
        await connection.close()


async def test_a_table_is_decided_about_for_each_process(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """A new table makes this fail until schemas/database_rights.sql says who may do what."""
    records = await owner.fetch(
        """
        SELECT c.relname, p.process, array_remove(array_agg(v.verb ORDER BY v.verb) FILTER (
                   WHERE has_table_privilege('bouncekeeper_' || p.process, c.oid, v.verb)
               ), NULL) AS verbs
          FROM pg_class c, unnest($1::text[]) AS p (process),
               unnest(ARRAY['DELETE', 'INSERT', 'SELECT', 'UPDATE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) AS v (verb)
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
           AND c.relname NOT LIKE '%yoyo%'
         GROUP BY 1, 2
    """,
        list(PROCESSES),
    )
    rights = {(record["process"], record["relname"]): set(record["verbs"] or ()) for record in records}
    tables = {name for _, name in rights}
    every = {"DELETE", "INSERT", "SELECT", "UPDATE"}
    assert {name for name in tables if rights["receiver", name]} == set()  # it has a right on two columns of one
    only_read = {"kinds", "former_event_keys", "log"}
    assert {name for name in tables if rights["processor", name] != every} == {*only_read, "tokens"}
    assert all(rights["processor", name] == {"SELECT"} for name in only_read)
    assert not rights["processor", "tokens"]
    assert {name for name in tables if "SELECT" not in rights["api", name]} == {
        "delivery_traces",
        "parked_deliveries",
        "parcel_attempts",
        "queue_lanes",
        "replay_tokens",
    }
    assert {name: rights["api", name] - {"SELECT"} for name in tables if rights["api", name] - {"SELECT"}} == {
        "acts": {"INSERT", "UPDATE"},
        "checkpoints": {"DELETE", "INSERT", "UPDATE"},
        "contact_tags": {"DELETE", "INSERT", "UPDATE"},
        "contacts": {"INSERT", "UPDATE"},
        "people": {"DELETE", "INSERT", "UPDATE"},
        "refolds": {"DELETE", "INSERT", "UPDATE"},
        "safelist_requests": {"INSERT", "UPDATE"},
        "status_changes": {"INSERT", "UPDATE"},
        "status_feed": {"UPDATE"},
        "words": {"INSERT"},
    }
    assert all(rights["operator", name] == every for name in tables)
    hidden = {"dead_letters", "parked_deliveries", "replay_tokens", "tokens"}
    assert all(rights["reader", name] == (set() if name in hidden else {"SELECT"}) for name in tables)


async def test_migrate_gives_todays_rights_and_takes_others_away(
    database_dsn: str, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await owner.execute(
        "GRANT DELETE ON contacts TO bouncekeeper_receiver;"
        "REVOKE INSERT (lane, parcel) ON parked_deliveries FROM bouncekeeper_receiver"
    )
    await owner.execute("GRANT EXECUTE ON FUNCTION drop_month_of_calm_events TO PUBLIC")
    assert await migrate(database_dsn) == []
    assert not await owner.fetchval(
        "SELECT has_function_privilege('bouncekeeper_receiver', 'drop_month_of_calm_events(timestamptz)', 'EXECUTE')"
    )
    receiver = await asyncpg.connect(as_process(database_dsn, "receiver"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await receiver.execute("DELETE FROM contacts")
        await receiver.execute("INSERT INTO parked_deliveries (lane, parcel) VALUES ('live', '')")
    finally:
        await receiver.close()


async def test_a_user_of_a_role_logs_in_and_puts_a_parcel(
    database_dsn: str, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await make_roles(database_dsn)
    await make_roles(database_dsn)  # what is there already stays
    await owner.execute("CREATE ROLE test_login LOGIN PASSWORD 'pw' IN ROLE bouncekeeper_receiver")
    try:
        dsn = f"postgresql://test_login:pw@{database_dsn.partition('@')[2]}"
        writer = await PostgresWriter.open(dsn)
        await writer.put(b"parcel")
        await writer.close()
        assert await owner.fetchval("SELECT count(*) FROM parked_deliveries") == 1
        with pytest.raises(ImpossibleSetting, match=r"temporary tables.*postgres-roles\.sql"):
            await open_writer_pool(dsn, connections=1, command_timeout_seconds=5)
    finally:
        await owner.execute("DROP ROLE test_login")


async def test_who_lacks_a_right_is_told_what_to_do(database_dsn: str) -> None:
    connection = await asyncpg.connect(as_process(database_dsn, "reader"))
    try:
        with (
            pytest.raises(ImpossibleSetting, match=r"`bouncekeeper migrate` as the owner.*postgres-roles\.sql"),
            store_errors("writing a batch"),
        ):
            await connection.execute("DELETE FROM contacts")
    finally:
        await connection.close()
    writer = await PostgresWriter.open(as_process(database_dsn, "reader"))
    with pytest.raises(QueueUnavailable, match=r"postgres-roles\.sql"):  # the broker may still take it
        await writer.put(b"parcel")
    await writer.close()


async def test_nobody_but_the_owner_gives_rights(database_dsn: str) -> None:
    with pytest.raises(ImpossibleSetting, match=r"as the owner of the tables"):
        await give_rights(as_process(database_dsn, "processor"))


async def test_a_month_is_made_where_it_belongs_whatever_the_caller_has_prepared(database_dsn: str) -> None:
    processor = await asyncpg.connect(as_process(database_dsn, "processor"))
    try:
        await processor.execute("CREATE TEMPORARY TABLE calm_events (LIKE calm_events)")
        await processor.execute("CREATE TEMPORARY TABLE calm_events_2031_05 (id bigint)")
        assert await processor.fetchval("SELECT make_month_of_calm_events('2031-05-17T10:00:00+02:00')") is True
        assert await processor.fetchval("SELECT make_month_of_calm_events('2031-05-01Z')") is False
        bound = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'public.calm_events_2031_05'::regclass"
        await processor.execute("SET timezone TO 'UTC'")
        assert await processor.fetchval(bound) == (
            "FOR VALUES FROM ('2031-05-01 00:00:00+00') TO ('2031-06-01 00:00:00+00')"
        )
        with pytest.raises(asyncpg.RaiseError, match=r"is not retired"):
            await processor.execute("SELECT drop_month_of_calm_events('2031-05-01Z')")
        await processor.execute("SELECT retire_month_of_calm_events('2031-05-01Z')")
        await processor.execute("SELECT drop_month_of_calm_events('2031-05-01Z')")
        assert await processor.fetchval("SELECT to_regclass('public.calm_events_2031_05')") is None
    finally:
        await processor.close()


def test_the_file_says_what_each_role_is_for() -> None:
    text = ROLES_FILE.read_text()
    for process in PROCESSES:
        assert f"'bouncekeeper_{process}'" in text


async def test_the_api_forgets_an_act_only_while_nothing_has_come_of_it(
    database_dsn: str, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    made = """
        INSERT INTO acts (actor, role, what, at, finished_at) VALUES ('ann', 'operator', 'call', now(), $1) RETURNING id
    """
    unfinished = await owner.fetchval(made, None)
    finished = await owner.fetchval(made, datetime.now(UTC))
    api = await asyncpg.connect(as_process(database_dsn, "api"))
    try:
        assert await api.fetchval("SELECT forget_idle_act($1)", unfinished) is True
        assert await api.fetchval("SELECT forget_idle_act($1)", finished) is False
    finally:
        await api.close()
    assert [record["id"] for record in await owner.fetch("SELECT id FROM acts WHERE actor = 'ann'")] == [finished]


FORGED = """
    INSERT INTO entries (contact_id, occurred_at, received_at, act_id, rank, reader_version, machine, entry_key, beside,
        detail)
    VALUES (1, now(), now(), $1, $2, 1, false, $3, $4, $5)
"""
HARD_BOUNCE, COMPLAINT, LISTED = 40, 110, 260


async def test_the_api_adds_decisions_and_nothing_that_looks_like_an_esps(
    database_dsn: str, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    api = await asyncpg.connect(as_process(database_dsn, "api"))
    act = await api.fetchval(
        "INSERT INTO acts (actor, role, what, at) VALUES ('ann', 'operator', 'call', now()) RETURNING id"
    )
    detail = '{"origin": "person", "role": "operator", "actor": "ann"}'
    by_esp = '{"origin": "provider", "role": "operator", "actor": "ann"}'
    forged = [
        (act, HARD_BOUNCE, None, detail),
        (act, COMPLAINT, '{"provider": "sendgrid", "source": "eu", "vendor_event": "spamreport"}', None),
        (None, HARD_BOUNCE, None, None),
        (None, LISTED, None, detail),
        (act, LISTED, None, None),
        (act, LISTED, None, by_esp),
        (act, LISTED, '{"provider": "sendgrid"}', detail),
        (act, LISTED, '{"cause": "policy", "source": "eu"}', detail),
    ]
    try:
        for place, (act_id, rank, beside, said) in enumerate(forged):
            with pytest.raises(asyncpg.CheckViolationError, match="entries_are_reports_or_decisions"):
                await api.execute(FORGED, act_id, rank, bytes([place]), beside, said)
        await api.execute(FORGED, act, LISTED, b"\xf0", None, detail)
        await api.execute(FORGED, act, LISTED, b"\xf1", '{"cause": "policy"}', detail)
    finally:
        await api.close()
    assert await owner.fetchval("SELECT count(*) FROM entries WHERE contact_id = 1") == 2
    # Whoever says of which delivery it is stores a report.
    processor = await asyncpg.connect(as_process(database_dsn, "processor"))
    try:
        await processor.execute(
            "INSERT INTO entries (contact_id, occurred_at, received_at, rank, reader_version, machine, entry_key,"
            " delivery_id) VALUES (1, now(), now(), 40, 1, false, 'key', gen_random_uuid())"
        )
    finally:
        await processor.close()

"""The database of the version whose event keys held the kind, migrated."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from schemas.raw_keeping import KeepRaw
from schemas.vocabulary import Cause, Kind
from tests.schemas.feedback_events import make_event
from worker.contacts import log_upgrade
from worker.contacts.applying import BatchRules
from worker.contacts.log_upgrade import convert_former_events
from worker.contacts.policies import Policies
from worker.policy.facts import OrderKey
from worker.policy.facts_encoding import decode_facts
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter
from worker.providers.payload.event_key import former_event_key, make_event_key
from worker.store.known_keys import former_keys_until
from worker.store.pool import Pool
from worker.store.stored_entries import stored_entries
from worker.store.writer_pool import open_writer_pool

FILES = files("schemas") / "database"
SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = sorted(
    file.name.removesuffix(".sql") for file in FILES.iterdir() if file.name >= "0005" and file.name.endswith(".sql")
)
FORMER_EVENT = """
    INSERT INTO events (occurred_at, event_key, contact_id, kind, cause, provider, source, vendor_event, machine,
        received_at, delivery_id, raw)
    VALUES ($1, $2, $3, $4, $5, 'postmark', 'first', 'bounce', false, $1, gen_random_uuid(), 'raw')
"""


async def test_a_database_of_the_former_version_is_read_as_it_was_and_counts_no_retry_twice(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    for name in ("0001_contacts_and_events", "0002_parked_deliveries", "0003_replay_tokens"):
        await connection.execute((FILES / f"{name}.sql").read_text("utf-8"))
    await connection.execute(
        "CREATE TABLE events_2026_03 PARTITION OF events FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')"
    )
    stored = former_event_key(Kind.SOFT_BOUNCE, ["default", "bounce", 1])
    untimed = [former_event_key(kind, ["default", "b", 2]) for kind in (Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE)]
    facts = {"latest": [SINCE, untimed[0]], "latest_ordered": [SINCE, stored], "last_opened_at": SINCE}
    contact_id = await connection.fetchval(
        "INSERT INTO contacts (account, channel, address, first_seen_at, latest_at, latest_key, latest_ordered_at,"
        " latest_ordered_key, base, base_until) VALUES ('default', 'email', 'jane@example.org', $1, $1, $2, $1, $2,"
        " $3, $4) RETURNING id",
        SINCE,
        stored,
        msgspec.json.encode(facts),
        datetime(2026, 2, 1, tzinfo=UTC),
    )
    await connection.execute(FORMER_EVENT, SINCE, stored, contact_id, "soft_bounce", "mailbox_full")
    for place, key in enumerate(untimed):
        await connection.execute(
            "INSERT INTO arrival_dated_events VALUES ($1, $2)", key, SINCE + timedelta(hours=place)
        )
    await connection.execute((FILES / "0004_event_identity.sql").read_text("utf-8"))

    registered = await connection.fetch("SELECT event_key, occurred_at FROM arrival_dated_events")
    assert [tuple(row) for row in registered] == [(make_event_key(["default", "b", 2]), SINCE)]
    base = decode_facts(await connection.fetchval("SELECT base FROM contacts"))
    assert (base.latest, base.latest_ordered) == (OrderKey(SINCE, 30, untimed[0]), OrderKey(SINCE, 30, stored))
    until = await former_keys_until(connection)
    assert until is not None
    assert datetime.now(UTC) < until < datetime.now(UTC) + timedelta(days=2)
    for name in LATER:
        await connection.execute((FILES / f"{name}.sql").read_text("utf-8"))
    await connection.close()
    pool = await open_writer_pool(postgres_dsn, connections=2, command_timeout_seconds=5)
    try:
        monkeypatch.setattr(log_upgrade, "_LOG_EVERY_SECONDS", 0.0)
        assert (await convert_former_events(pool, KeepRaw.FAILURES)).events == 1
        rules = BatchRules(
            policies=Policies(recommended_policy()), oldest_kept=SINCE - timedelta(days=9), former_keys_until=until
        )
        retry = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST)
        retries = [
            replace(retry, event_key=make_event_key(["default", "bounce", 1])),
            replace(retry, event_key=make_event_key(["default", "b", 2]), arrival_dated=True),
        ]
        committed = await BatchWriter(pool, rules).commit(retries)
        assert (committed.refused, [applied.new_events for applied in committed.applied]) == ([], [0])
        (event,) = await stored_entries(pool, contact_id)
        assert (event.event_key, event.kind) == (stored, Kind.SOFT_BOUNCE)
    finally:
        await pool.close()


async def test_a_new_database_looks_for_no_former_keys(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await former_keys_until(connection) is None

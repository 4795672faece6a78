"""The counts of a report are those of the rows, and rows outside the span are not read."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from schemas.vocabulary import Cause, Kind
from tests.schemas.feedback_events import START, make_event
from worker.store.event_rows import EventEncoder
from worker.store.pool import Connection, Pool
from worker.store.report_counts import (
    CauseCount,
    ChangeCount,
    Span,
    TotalCounts,
    count_bounces,
    count_changes,
    count_domains,
    count_providers,
    count_totals,
)

DAY = START.replace(hour=0)
THREE_DAYS = Span(since=DAY, until=DAY + timedelta(days=3), account=None)


async def a_contact(pool: Pool, address: str, *, account: str = "default", channel: str = "email") -> int:
    contact_id: int = await pool.fetchval(
        "INSERT INTO contacts (account, channel, address, first_seen_at) VALUES ($1, $2, $3, $4) RETURNING id",
        *(account, channel, address, START),
    )
    return contact_id


async def some_bounces(pool: Pool) -> None:
    jane, shop, phone = (
        await a_contact(pool, "jane@example.org"),
        await a_contact(pool, '"a@b"@shop.example', account="shop-eu"),
        await a_contact(pool, "+15550100", channel="sms"),
    )
    gone, full = Cause.MAILBOX_DOES_NOT_EXIST, Cause.MAILBOX_FULL
    events = [
        (make_event(Kind.SOFT_BOUNCE, day=-0.6, cause=full, key="the day before"), jane),
        (make_event(Kind.SOFT_BOUNCE, day=0, cause=full, key="1"), jane),
        (make_event(Kind.HARD_BOUNCE, day=0.1, cause=gone, key="2", provider="sendgrid", source="eu"), jane),
        (make_event(Kind.BLOCKED, day=2, cause=full, key="3"), shop),
        (make_event(Kind.DROPPED, day=2.1, cause=full, key="4"), phone),
        (make_event(Kind.COMPLAINT, day=1, cause=Cause.ABUSE_REPORT, key="5"), jane),
        (make_event(Kind.UNSUBSCRIBE, day=1, key="6"), jane),
        (make_event(Kind.FORBIDS_CONTACT, day=1.1, key="once more"), jane),
        (make_event(Kind.DECLINES_COMMERCIAL, day=1.2, key="for the first time"), shop),
        (make_event(Kind.HARD_BOUNCE, day=2.5, cause=gone, key="the day after"), jane),
    ]
    encoder = EventEncoder()
    await encoder.learn(pool, [event for event, _ in events[1:]])
    async with pool.acquire() as connection:
        await encoder.copy(connection, "entries", events)
    for day, old, new, contact_id in (
        (0, "none", "all", jane),
        (0, "none", "marketing", shop),
        (2, "all", "none", jane),
    ):
        await pool.execute(
            "INSERT INTO status_changes"
            " (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause, actor)"
            " VALUES ($1, $2, 'a', 'b', $3, $4, 'none', 'events')",
            *(contact_id, START + timedelta(days=day), old, new),
        )


async def test_bounces_are_counted_by_cause_and_day_by_provider_and_by_source(pool: Pool) -> None:
    await some_bounces(pool)

    async with pool.acquire() as connection:
        counts = await count_bounces(connection, THREE_DAYS, unit="day")

    assert counts.by_cause == [
        CauseCount(begins_at=DAY, cause="mailbox_does_not_exist", bounces=1),
        CauseCount(begins_at=DAY, cause="mailbox_full", bounces=1),
        CauseCount(begins_at=DAY + timedelta(days=2), cause="mailbox_full", bounces=2),
    ]
    assert counts.by_provider == {"postmark": 3, "sendgrid": 1}
    assert counts.by_source == {"test": 3, "eu": 1}


async def test_a_word_without_an_id_is_counted_under_its_name(pool: Pool) -> None:
    jane = await a_contact(pool, "jane@example.org")
    event = make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, provider="unheard", source="of")
    async with pool.acquire() as connection:
        await EventEncoder().copy(connection, "entries", [(event, jane)])
        counts = await count_bounces(connection, THREE_DAYS, unit="day")

    assert (counts.by_cause, counts.by_provider, counts.by_source) == (
        [CauseCount(begins_at=DAY, cause="mailbox_full", bounces=1)],
        {"unheard": 1},
        {"of": 1},
    )


async def test_domains_are_those_behind_the_last_at_and_phone_numbers_have_none(pool: Pool) -> None:
    await some_bounces(pool)

    async with pool.acquire() as connection:
        every = await count_domains(connection, THREE_DAYS, most=10)
        first = await count_domains(connection, THREE_DAYS, most=1)

    assert every.bounces == {"example.org": 2, "": 1, "shop.example": 1}
    assert (first.bounces, first.domains) == ({"example.org": 2}, 3)


async def test_blocked_and_freed_are_changes_from_and_to_no_block_at_all(pool: Pool) -> None:
    await some_bounces(pool)

    async with pool.acquire() as connection:
        changes = await count_changes(connection, THREE_DAYS, unit="day")

    assert changes == [
        ChangeCount(begins_at=DAY, blocked=2, freed=0),
        ChangeCount(begins_at=DAY + timedelta(days=2), blocked=0, freed=1),
    ]


async def test_totals_are_of_the_span_and_of_the_account_alone(pool: Pool) -> None:
    await some_bounces(pool)

    async with pool.acquire() as connection:
        totals = await count_totals(connection, THREE_DAYS)
        of_shop = await count_totals(connection, replace(THREE_DAYS, account="shop-eu"))
        domains = await count_domains(connection, replace(THREE_DAYS, account="shop-eu"), most=10)

    assert totals == TotalCounts(bounces=4, hard_bounces=1, complaints=1, unsubscribes=2, blocked=2, freed=1)
    assert of_shop == TotalCounts(bounces=1, hard_bounces=0, complaints=0, unsubscribes=1, blocked=1, freed=0)
    assert domains.bounces == {"shop.example": 1}


@pytest.mark.slow
async def test_of_a_long_log_only_about_the_span_is_read(pool: Pool) -> None:
    """A year of 100,000 bounces and changes, the last three days of it asked for."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    await pool.execute(
        """
        INSERT INTO entries (contact_id, occurred_at, received_at, rank, reader_version, machine, entry_key,
            delivery_id)
        SELECT n, $1::timestamptz + n * interval '5 minutes', now(), 30, 1, false, int8send(n),
               gen_random_uuid()
          FROM generate_series(1, 100000) n
        """,
        begin,
    )
    await pool.execute(
        """
        INSERT INTO status_changes
            (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause, actor)
        SELECT n, $1::timestamptz + n * interval '5 minutes', 'a', 'b', 'none', 'all', 'none', 'events'
          FROM generate_series(1, 100000) n
        """,
        begin,
    )
    for table in ("entries", "status_changes"):
        await pool.execute(f"VACUUM ANALYZE {table}")
    end = begin + timedelta(minutes=5 * 100_000)
    async with pool.acquire() as connection, connection.transaction():
        before = await rows_read(connection)
        totals = await count_totals(connection, Span(since=end - timedelta(days=3), until=end, account=None))
        read = await rows_read(connection) - before

    assert (totals.bounces, totals.blocked) == (864, 864)
    assert read < 20_000


async def test_of_an_account_no_log_outside_the_span_is_walked(pool: Pool) -> None:
    """Half of all contacts, and half of all time: the log of each contact has both halves."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    await pool.execute(
        """
        INSERT INTO contacts (id, account, channel, address, first_seen_at) OVERRIDING SYSTEM VALUE
        SELECT n, CASE WHEN n % 2 = 0 THEN 'shop-eu' ELSE 'default' END, 'email', n || '@example.org', $1
          FROM generate_series(1, 20000) n
        """,
        begin,
    )
    await pool.execute(
        """
        INSERT INTO entries (contact_id, occurred_at, received_at, rank, reader_version, machine, entry_key,
            delivery_id)
        SELECT (hashint8(n) & 2147483647) % 20000 + 1, $1::timestamptz + n * interval '5 minutes', now(), 30, 1, false,
               int8send(n), gen_random_uuid()
          FROM generate_series(1, 100000) n
        """,
        begin,
    )
    await pool.execute("VACUUM ANALYZE entries, contacts")
    end = begin + timedelta(minutes=5 * 100_000)
    span = Span(since=end - (end - begin) / 2, until=end, account="shop-eu")
    async with pool.acquire() as connection, connection.transaction():
        before = await index_reads(connection)
        totals = await count_totals(connection, span)
        domains = await count_domains(connection, span, most=5)
        bounces = await count_bounces(connection, span, unit="day")
        read = await index_reads(connection) - before

    assert 24_000 < totals.bounces < 26_000
    assert sum(domains.bounces.values()) == sum(bounces.by_source.values()) == totals.bounces
    assert read == 0


async def test_the_providers_of_changes_are_looked_up_however_long_the_log_is(pool: Pool) -> None:
    """A third of 90,000 bounces changed something just now."""
    await pool.execute(
        """
        INSERT INTO entries (contact_id, occurred_at, received_at, rank, reader_version, machine, entry_key,
            delivery_id, beside)
        SELECT n, now() - interval '1 day', now(), 40, 1, false, int8send(n), gen_random_uuid(),
               jsonb_build_object('provider', CASE WHEN n % 3 = 0 THEN 'postmark' ELSE 'sendgrid' END)
          FROM generate_series(1, 90000) n
        """
    )
    await pool.execute(
        """
        INSERT INTO status_changes
            (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause, actor, event_key)
        SELECT n, now(), 'a', 'b', 'none', 'all', 'none', 'events', int8send(n) FROM generate_series(1, 30000) n
         UNION ALL SELECT 1, now(), 'b', 'a', 'all', 'none', 'none', 'time', NULL
        """
    )
    await pool.execute("VACUUM ANALYZE entries, status_changes")
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        before = await rows_read(connection)
        span = Span(since=now - timedelta(days=1), until=now + timedelta(days=1), account=None)
        providers = await count_providers(connection, span)
        read = await rows_read(connection) - before

    assert providers == {"sendgrid": 20_000, "postmark": 10_000}
    assert read < 62_000, "each change and its entry"


async def index_reads(connection: Connection) -> int:
    """How often this session has gone through the index of each contact's log."""
    return int(
        await connection.fetchval(
            "SELECT pg_stat_get_xact_numscans(indexrelid) FROM pg_stat_user_indexes"
            " WHERE indexrelname = 'entries_in_order'"
        )
    )


async def rows_read(connection: Connection) -> int:
    """Rows of our tables that this session has read; Postgres forgets them now and then, but not in a transaction."""
    return int(
        await connection.fetchval("SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) FROM pg_stat_xact_user_tables")
    )

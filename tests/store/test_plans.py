"""A batch reads the rows that it asks for and no others, however empty the database was when its session began."""

from collections.abc import AsyncIterator

import pytest

from schemas.campaign import CampaignValue
from schemas.vocabulary import Kind
from tests.schemas.feedback_events import make_event
from worker.store import known_keys
from worker.store.campaign_recipients import campaigns_of_contact, recipients_page
from worker.store.campaigns import Campaigns
from worker.store.contact_rows import ContactKey, lock_contacts
from worker.store.event_rows import EventEncoder
from worker.store.known_keys import FormerKey, KeyInMonth, KeyOfContact
from worker.store.partitions import make_partitions
from worker.store.plan_renewal import PlanRenewal
from worker.store.pool import Connection, WriterPool, open_pool
from worker.store.writer_pool import ONE_PLAN, open_writer_pool, writing

CONTACTS = """
    INSERT INTO contacts (account, channel, address, first_seen_at)
    SELECT 'default', 'email', 'user' || n || '@example.org', now() FROM generate_series($1::integer, $2) n
"""
MANY = 10_000
KINDS = {"entries": Kind.COMPLAINT, "calm_events": Kind.OPENED, "kept_calm_events": Kind.OPENED}
OF_CONTACT = {"entries": known_keys.known_among_entries, "kept_calm_events": known_keys.known_among_kept}


@pytest.fixture(params=[False, True], ids=["never analyzed", "analyzed"])
async def writers(request: pytest.FixtureRequest, pool: WriterPool, database_dsn: str) -> AsyncIterator[WriterPool]:
    """One session, as a processor's, on a database that is still empty; if it was analyzed, the planner knows that."""
    if request.param:
        await pool.execute("ANALYZE")
    writers = await open_writer_pool(database_dsn, connections=1, command_timeout_seconds=30, server_settings=ONE_PLAN)
    try:
        yield writers
    finally:
        await writers.close()


async def rows_read(connection: Connection) -> int:
    """Rows of all our tables that this transaction has read."""
    return int(
        await connection.fetchval("SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) FROM pg_stat_xact_user_tables")
    )


@pytest.mark.parametrize("before", [0, 10])
async def test_contacts_are_found_by_their_addresses(pool: WriterPool, writers: WriterPool, before: int) -> None:
    keys = [ContactKey(address=f"user{n}@example.org", account="default", channel="email") for n in range(1, 200)]
    await pool.execute(CONTACTS, 1, before)
    async with writing(writers) as session:
        assert len(await lock_contacts(session, keys)) == before
    await pool.execute(CONTACTS, before + 1, MANY)
    async with writing(writers) as session:
        assert set(await lock_contacts(session, keys)) == set(keys)
        assert await rows_read(session) <= 3 * len(keys)


@pytest.mark.parametrize("table", list(KINDS))
async def test_entries_of_a_contact_with_many_are_found_by_their_keys(
    pool: WriterPool, writers: WriterPool, table: str
) -> None:
    events = [make_event(KINDS[table], key=f"k{number}", day=1 + number / 86_400) for number in range(MANY)]
    asked = events[::100]
    of_contact = [KeyOfContact(contact_id=7, entry_key=event.event_key) for event in asked]
    in_month = [KeyInMonth(contact_id=7, occurred_at=event.occurred_at, entry_key=event.event_key) for event in asked]
    former = [
        FormerKey(contact_id=7, occurred_at=event.occurred_at, entry_key=event.event_key, former_key=event.event_key)
        for event in asked
    ]

    async def known(session: Connection) -> list[set[bytes]]:
        by_key = (
            await OF_CONTACT[table](session, of_contact)
            if table in OF_CONTACT
            else await known_keys.known_in_months(session, in_month)
        )
        return [by_key, await known_keys.known_by_former_keys(session, former)]

    async with writing(writers) as session:
        assert await known(session) == [set(), set()]
    encoder = EventEncoder()
    async with pool.acquire() as connection:
        await make_partitions(connection, [events[0].occurred_at])
        await encoder.copy(connection, table, [(event, 7) for event in events])
    async with writing(writers) as session:
        assert await known(session) == [{event.event_key for event in asked}] * 2
        assert await rows_read(session) <= 10 * len(asked)


async def test_registered_keys_are_looked_up_one_by_one(pool: WriterPool, writers: WriterPool) -> None:
    events = [make_event(Kind.OTHER, key=f"k{number}", address=None) for number in range(2000)]
    asked = [event.event_key for event in events[::100]]
    encoder = EventEncoder()
    async with pool.acquire() as connection:
        await encoder.copy(connection, "nameless_events", [(events[0], None)])
        async with writing(writers) as session:
            await known_keys.registered_keys(session, asked)
        await encoder.copy(connection, "nameless_events", [(event, None) for event in events[1:1000]])
        await known_keys.register(connection, events[1000:])
    async with writing(writers) as session:
        assert await known_keys.registered_keys(session, asked) == set(asked)
        assert await rows_read(session) <= 5 * len(asked)


RECIPIENTS = """
    INSERT INTO campaign_recipients (campaign_id, contact_id, first_at, hard_bounced_at)
    SELECT n % 2 + 1, n, now(), CASE WHEN n % 500 < 4 THEN now() END FROM generate_series(1, $1::integer) n
"""


async def test_campaigns_are_found_by_their_names(writers: WriterPool, pool: WriterPool) -> None:
    campaigns = Campaigns()
    async with writing(writers) as session:
        await campaigns.ids_of(session, [("default", "first")])
    await pool.execute(
        "INSERT INTO campaigns (account, name) SELECT 'default', 'c' || n FROM generate_series(1, $1::integer) n", MANY
    )
    async with writing(writers) as session:
        assert len(await campaigns.ids_of(session, [("default", f"c{number}") for number in range(1, 100)])) == 99
        assert await rows_read(session) <= 3 * 99


@pytest.mark.parametrize("analyse", [False, True])
async def test_a_page_of_recipients_reads_no_more_than_the_page(pool: WriterPool, analyse: bool) -> None:  # noqa: FBT001
    await pool.execute(CONTACTS, 1, MANY)
    await pool.execute(RECIPIENTS, MANY)
    if analyse:
        await pool.execute("ANALYZE")
    async with pool.acquire() as connection:
        for value, after, count in ((CampaignValue.SENT, 5000, 50), (CampaignValue.HARD_BOUNCED, 0, 20)):
            for _ in range(7):  # after five times Postgres may keep one plan for all
                async with connection.transaction():
                    before = await rows_read(connection)  # since the session's figures were last handed on
                    page = await recipients_page(connection, 1, value=value, after=after, limit=count)
                    assert len(page) == count
                    assert await rows_read(connection) - before <= 3 * count


async def test_a_contacts_campaigns_are_found_by_the_contact(pool: WriterPool) -> None:
    await pool.execute("INSERT INTO campaigns (account, name) VALUES ('default', 'c1'), ('default', 'c2')")
    await pool.execute(RECIPIENTS, MANY)
    async with pool.acquire() as connection, connection.transaction():
        assert [one.contact_id for one in await campaigns_of_contact(connection, 8, limit=50)] == [8]
        assert await rows_read(connection) <= 10


async def test_a_session_that_has_ended_is_not_remembered(pool: WriterPool, database_dsn: str) -> None:
    del pool
    renewal = PlanRenewal()
    ended = await open_pool(database_dsn, connections=1, command_timeout_seconds=30, lend=renewal)
    for _ in range(2):
        async with ended.acquire():
            assert renewal.sessions == 1
    await ended.close()
    assert renewal.sessions == 0

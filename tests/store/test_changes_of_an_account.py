"""What changed of one account is found by an index of its own: the changes of other accounts cost it nothing."""

from datetime import UTC, datetime, timedelta

from worker.store.pool import WriterPool
from worker.store.report_counts import Span, StatusCount, count_providers, count_statuses
from worker.store.status_feed import number_changes

OWN, FOREIGN = "shop-a", "shop-b"
SINCE = datetime.now(UTC) - timedelta(minutes=10)
_CONTACTS = """
    INSERT INTO contacts (account, channel, address, status, first_seen_at, latest_at, latest_key)
    SELECT $1, 'email', n || '@' || $1 || '.example', 'blocklisted', now(), now(), sha256(n::text::bytea)
      FROM generate_series(1, $2::integer) n
"""
_CHANGES = """
    INSERT INTO status_changes (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause, actor)
    SELECT id, now(), 'active', 'blocklisted', 'none', 'all', 'mailbox_full', 'events' FROM contacts
"""
_SCANS = "SELECT pg_stat_get_xact_numscans('status_changes_account_time'::regclass)"


async def test_it_is_counted_by_the_index_and_without_a_place_in_the_feed_too(pool: WriterPool) -> None:
    await pool.execute(_CONTACTS, FOREIGN, 3000)
    await pool.execute(_CONTACTS, OWN, 2)
    await pool.execute(_CHANGES)
    while await number_changes(pool):
        pass
    await pool.execute(_CHANGES)  # these have no place yet
    await pool.execute("ANALYZE status_changes, contacts")
    span = Span(since=SINCE, until=SINCE + timedelta(hours=1), account=OWN)
    async with pool.acquire() as connection, connection.transaction():
        counts = await count_statuses(connection, span)
        assert await connection.fetchval(_SCANS) == 1
        assert await count_providers(connection, span) == {}
        assert await connection.fetchval(_SCANS) == 2
    assert counts == [StatusCount(status="blocklisted", cause="mailbox_full", changes=4)]

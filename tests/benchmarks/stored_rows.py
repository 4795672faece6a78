"""Where each side of a contest stores its events, and how many bytes an event of ours takes there."""

import asyncpg

# Each row with its message and the transaction that committed it.
OUR_ROWS = "(SELECT xmin, message_id FROM calm_events UNION ALL SELECT xmin, message_id FROM entries)"
PEER_ROWS = "events"

# The peer keeps all of an event in one wide row, found by its time and key: what a careful team would begin with.
_PEER_TABLE = """
    CREATE TABLE events (
        occurred_at timestamptz NOT NULL,
        event_key bytea NOT NULL,
        contact_id bigint,
        kind text NOT NULL,
        cause text NOT NULL,
        provider text NOT NULL,
        source text NOT NULL,
        vendor_event text NOT NULL,
        message_id text,
        smtp_code smallint,
        enhanced_status text,
        diagnostic text,
        scope text,
        machine boolean NOT NULL,
        received_at timestamptz NOT NULL,
        delivery_id uuid NOT NULL,
        tags text[],
        metadata jsonb,
        raw bytea NOT NULL,
        PRIMARY KEY (occurred_at, event_key)
    );
    CREATE INDEX events_contact ON events (contact_id, occurred_at);
"""
_SIZES = """
    SELECT (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
             WHERE inhparent = 'calm_events'::regclass)::bigint,
           (SELECT count(*) FROM calm_events),
           pg_total_relation_size('entries'),
           (SELECT count(*) FROM entries),
           (SELECT sum(pg_total_relation_size(oid)) FROM pg_class
             WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relispartition
               AND relname <> 'entries')::bigint,
           (SELECT count(*) FROM contacts)
"""


async def make_peer_table(dsn: str) -> None:
    """The database has the table in which the peer stores events."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_PEER_TABLE)
    finally:
        await connection.close()


async def bytes_per_event(dsn: str) -> str:
    """What a calm event and an entry take with their indexes, and what all other tables take."""
    connection = await asyncpg.connect(dsn)
    try:
        sizes = await connection.fetchrow(_SIZES) or (0, 1, 0, 1, 0, 0)
        raw = await connection.fetchval("SELECT avg(length(raw)) FROM entries WHERE raw IS NOT NULL") or 0
    finally:
        await connection.close()
    calm_bytes, calm, entry_bytes, entries, other_bytes, contacts = sizes
    calm, entries = max(1, calm), max(1, entries)
    return (
        f"{calm_bytes / calm:.0f} a calm event with its index, {entry_bytes / entries:.0f} an entry that stays with its"
        f" indexes (of which {raw:.0f} are the vendor's own words, compressed), both together"
        f" {(calm_bytes + entry_bytes) / (calm + entries):.0f}, and {other_bytes / (calm + entries):.0f} in all other"
        f" tables; {calm:,} calm events, {entries:,} entries, {contacts:,} contacts"
    )

"""Contacts with very many entries, which Postgres makes by itself."""

from datetime import datetime, timedelta

from worker.store.pool import Pool

_WORDS = """'{"cause": "none", "provider": "postmark", "source": "test", "vendor_event": "Event"}'::jsonb"""
_CALM = f"""
    INSERT INTO calm_events (occurred_at, entry_key, contact_id, rank, reader_version, machine, received_at,
                             delivery_id, message_id, beside)
    SELECT $2::timestamptz + number * $4::interval, sha256(($2::timestamptz::text || number)::bytea), $1,
           CASE WHEN number % 10 = 0 THEN 20 ELSE 70 END, 1, false, $2::timestamptz + number * $4::interval,
           gen_random_uuid(), 'm' || number, {_WORDS}
      FROM generate_series(1, $3::int) number
"""  # noqa: S608 - a constant


async def add_calm_events(
    pool: Pool, contact_id: int, count: int, *, since: datetime, minutes_apart: float = 1
) -> None:
    """So many openings, each tenth of them a delivery, of which the contact's row knows nothing."""
    await pool.execute(_CALM, contact_id, since, count, timedelta(minutes=minutes_apart))

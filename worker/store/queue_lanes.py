"""The lanes that have, or had, their own queue in the broker. AMQP cannot list them."""

from collections.abc import Collection
from datetime import datetime, timedelta

from schemas.lane import Lane
from worker.store.pool import Pool, store_errors
from worker.store.sessions import session

# A processor renews its lanes far more often. A younger one may be about to make its queue.
_FORGOTTEN_AFTER = timedelta(days=1)

_NOTE = """
    INSERT INTO queue_lanes (name, configured_at) SELECT name, $2 FROM unnest($1::text[]) AS name
    ON CONFLICT (name) DO UPDATE SET configured_at = excluded.configured_at
"""
_FORGET = "DELETE FROM queue_lanes WHERE name = ANY ($1::text[]) AND configured_at < $2"


async def note_lanes(pool: Pool, lanes: Collection[Lane], *, now: datetime) -> list[Lane]:
    """Stores the lanes that are about to get queues; returns all others. Raises StoreUnavailable."""
    own = {lane.name for lane in lanes}
    async with session(pool, "noting the lanes of the queue") as connection:
        await connection.execute(_NOTE, sorted(own), now)
        records = await connection.fetch("SELECT name FROM queue_lanes ORDER BY name")
    return [Lane.of_name(record["name"]) for record in records if record["name"] not in own]


async def forget_lanes(pool: Pool, lanes: Collection[Lane], *, now: datetime) -> None:
    """Deletes lanes whose queues are gone, unless a processor named them recently. Raises StoreUnavailable."""
    if lanes:
        with store_errors("forgetting lanes of the queue"):
            await pool.execute(_FORGET, [lane.name for lane in lanes], now - _FORGOTTEN_AFTER)

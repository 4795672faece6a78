"""Counts how often parcels that were lent again were tried (worker.processor.trials). All raise StoreUnavailable."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from worker.store.pool import Pool, store_errors

# A parcel that nobody has met for this long is in no queue any more.
_FORGOTTEN_AFTER = timedelta(days=30)

_DOING = "counting how often parcels were tried"
_NOTE = """
    INSERT INTO parcel_attempts (parcel_hash, attempts, noted_at)
    SELECT parcel_hash, 0, $2 FROM unnest($1::bytea[]) AS parcel_hash ORDER BY parcel_hash
    ON CONFLICT (parcel_hash) DO UPDATE SET noted_at = excluded.noted_at
    RETURNING parcel_hash, attempts, xmax <> 0 AS known
"""
_COUNT = """
    INSERT INTO parcel_attempts AS noted (parcel_hash, attempts, noted_at) VALUES ($1, 1, $2)
    ON CONFLICT (parcel_hash) DO UPDATE SET attempts = noted.attempts + 1, noted_at = excluded.noted_at
    RETURNING attempts
"""
_RESTORE = """
    UPDATE parcel_attempts AS noted SET attempts = before.attempts
    FROM unnest($1::bytea[], $2::integer[]) AS before (parcel_hash, attempts)
    WHERE noted.parcel_hash = before.parcel_hash
"""
_STRIKE = "DELETE FROM parcel_attempts WHERE parcel_hash = ANY ($1::bytea[])"
_FORGET = "DELETE FROM parcel_attempts WHERE noted_at < $1"


async def note_parcels(pool: Pool, hashes: Collection[bytes], *, now: datetime) -> dict[bytes, int | None]:
    """Notes that these parcels were lent again; returns how often each was tried alone, None if it had no note."""
    with store_errors(_DOING):
        rows = await pool.fetch(_NOTE, list(set(hashes)), now)
    return {row["parcel_hash"]: row["attempts"] if row["known"] else None for row in rows}


async def count_attempt(pool: Pool, parcel_hash: bytes, *, now: datetime) -> int:
    """Counts one attempt more, before it is made; returns the number of attempts."""
    with store_errors(_DOING):
        attempts: int = await pool.fetchval(_COUNT, parcel_hash, now)
    return attempts


async def strike_parcels(pool: Pool, hashes: Collection[bytes]) -> None:
    """Deletes the notes of parcels that are done."""
    if hashes:
        with store_errors(_DOING):
            await pool.execute(_STRIKE, list(hashes))


async def restore_attempts(pool: Pool, before: Mapping[bytes, int | None]) -> None:
    """Restores the notes of these parcels from before they were met."""
    earlier = {parcel_hash: attempts for parcel_hash, attempts in before.items() if attempts is not None}
    with store_errors(_DOING):
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(_RESTORE, list(earlier), list(earlier.values()))
            await connection.execute(_STRIKE, [parcel_hash for parcel_hash in before if parcel_hash not in earlier])


async def forget_attempts(pool: Pool, *, now: datetime) -> None:
    """Deletes the notes of parcels that are in no queue any more."""
    with store_errors(_DOING):
        await pool.execute(_FORGET, now - _FORGOTTEN_AFTER)

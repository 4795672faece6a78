"""What comes in by each account and source, and the signs of life of the processors, as they note them."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row

# Instead of an account's name, which is never empty: what came in for any of them, each webhook once.
ALL_ACCOUNTS = ""
MOST_SOURCES = 300
# A processor notes its sign every few seconds. Postgres alone looks at a clock: those of two machines may differ.
_ALIVE_FOR = "interval '30 seconds'"
_FORGOTTEN_AFTER = "interval '1 day'"


class _NewIntake(Row, frozen=True):
    account: str
    source: str
    webhooks: int
    last_received_at: datetime


# In one order, so that two processors never wait for each other. Of accounts that exist alone: a webhook can name any.
_NOTE = f"""
    INSERT INTO intake AS i ({_NewIntake.select_list()})
    SELECT {_NewIntake.select_list("n")} FROM {_NewIntake.unnest("n")}
     WHERE n.account = '' OR EXISTS (SELECT FROM accounts a WHERE a.name = n.account)
     ORDER BY n.account, n.source
    ON CONFLICT (account, source) DO UPDATE
       SET webhooks = i.webhooks + excluded.webhooks,
           last_received_at = greatest(i.last_received_at, excluded.last_received_at)
"""  # noqa: S608 - the column list is made of the names above
_SIGN = """
    INSERT INTO processor_signs (processor, noted_at, oldest_age_seconds, waiting_parcels) VALUES ($1, now(), $2, $3)
    ON CONFLICT (processor) DO UPDATE
       SET noted_at = excluded.noted_at, oldest_age_seconds = excluded.oldest_age_seconds,
           waiting_parcels = excluded.waiting_parcels
"""
_READ = """
    SELECT source, webhooks, last_received_at FROM intake
     WHERE account = $1 ORDER BY last_received_at DESC, source LIMIT $2
"""
_SIGNS = f"""
    SELECT count(*) AS processors, max(oldest_age_seconds) AS oldest_age_seconds,
           max(waiting_parcels) AS waiting_parcels, count(*) FILTER (WHERE waiting_parcels IS NULL) AS unmeasured
      FROM processor_signs WHERE noted_at > now() - {_ALIVE_FOR}
"""  # noqa: S608 - a constant
_FORGET = f"DELETE FROM processor_signs WHERE noted_at < now() - {_FORGOTTEN_AFTER}"  # noqa: S608 - a constant


class Intake(Struct, frozen=True, kw_only=True):
    """The webhooks of one account, or of ALL_ACCOUNTS, at one source."""

    webhooks: int
    last_received_at: datetime


class SourceIntake(Struct, frozen=True, kw_only=True):
    """What came in by one source."""

    source: str
    webhooks: int  # a count that only grows: two of them tell a rate
    last_received_at: datetime


class ProcessorSigns(Struct, frozen=True, kw_only=True):
    """What the processors that live say of themselves."""

    processors: int
    oldest_age_seconds: float | None  # the highest of theirs; None without any
    waiting_parcels: int | None  # the highest of theirs; None if none of them could measure all its queues
    unmeasured: int  # processors that could not


async def note_intake(executor: Executor, intake: Mapping[tuple[str, str], Intake]) -> None:
    """Adds what came in, by account and source, in one statement. Raises StoreUnavailable."""
    if not intake:
        return
    rows = [
        _NewIntake(account=account, source=source, webhooks=one.webhooks, last_received_at=one.last_received_at)
        for (account, source), one in intake.items()
    ]
    with store_errors("noting what came in"):
        await executor.execute(_NOTE, *_NewIntake.arrays(rows))


async def note_sign(
    executor: Executor, processor: UUID, *, oldest_age_seconds: float, waiting_parcels: int | None
) -> None:
    """Shows that the processor lives. `waiting_parcels` is None if that is unknown. Raises StoreUnavailable."""
    with store_errors("noting that a processor lives"):
        await executor.execute(_SIGN, processor, oldest_age_seconds, waiting_parcels)


async def take_sign_away(executor: Executor, processor: UUID) -> None:
    """The processor has ended. Raises StoreUnavailable."""
    with store_errors("noting that a processor has ended"):
        await executor.execute("DELETE FROM processor_signs WHERE processor = $1", processor)


async def forget_signs(executor: Executor) -> None:
    """Deletes the signs of processors that were killed. Raises StoreUnavailable."""
    with store_errors("forgetting processors"):
        await executor.execute(_FORGET)


async def read_intake(connection: Connection, account: str | None) -> list[SourceIntake]:
    """What came in by each source, the latest first; of one account, or of all."""
    named = ALL_ACCOUNTS if account is None else account
    return [SourceIntake(**record) for record in await connection.fetch(_READ, named, MOST_SOURCES)]


async def read_signs(connection: Connection) -> ProcessorSigns:
    """What the processors say that have noted a sign lately."""
    row = await connection.fetchrow(_SIGNS)
    if row is None:
        raise AssertionError("an aggregate gives one row")
    return ProcessorSigns(**row)

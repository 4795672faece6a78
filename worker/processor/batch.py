"""One batch from parsed to committed: retried when the moment is wrong, split when one delivery spoils it."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from worker.errors import StoreUnavailable
from worker.logs import get_logger
from worker.processor.applying import Applied, BatchRules, apply_events
from worker.processor.parsing import ParsedDelivery, SetAsideDelivery
from worker.store.dead_letters import put_aside
from worker.store.partitions import make_partitions, month_of
from worker.store.pool import Pool, store_errors

_log = get_logger()

_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 10.0

# What a single delivery can provoke and no waiting mends: values that a column refuses, broken invariants.
_POISON = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError)


class Committed(Struct, kw_only=True):
    """What came of a batch."""

    applied: list[Applied]
    set_aside: list[SetAsideDelivery]
    attempts: int = 1


class BatchWriter:
    """Commits batches; one instance serves any number of tasks."""

    def __init__(self, pool: Pool, rules: BatchRules) -> None:
        self._pool = pool
        self.rules = rules

    async def commit(
        self, deliveries: Sequence[ParsedDelivery], set_aside: Sequence[SetAsideDelivery] = ()
    ) -> Committed:
        """Everything is in the database when this returns; waits as long as Postgres needs.

        Deadlocks and serialization failures are repeated at once, an absent Postgres is waited for. A delivery
        that Postgres refuses for its content is found by halving and set aside; the others are applied.
        """
        committed = Committed(applied=[], set_aside=list(set_aside))
        work: list[Sequence[ParsedDelivery]] = [deliveries]
        while work or set_aside:
            part = work.pop() if work else ()
            try:
                await self._commit_until_done(part, set_aside, committed)
                set_aside = ()
            except _POISON as error:
                if len(part) > 1:
                    middle = len(part) // 2
                    work += [part[middle:], part[:middle]]
                    continue
                if not part:
                    raise
                detail = (
                    f"Postgres refuses an event of it ({type(error).__name__}: {error}): a defect, please report it"
                )
                refused = SetAsideDelivery(envelope=part[0].envelope, reason="store_refused", detail=detail)
                committed.set_aside.append(refused)
                set_aside = (*set_aside, refused)
        return committed

    async def _commit_until_done(
        self, deliveries: Sequence[ParsedDelivery], set_aside: Sequence[SetAsideDelivery], committed: Committed
    ) -> None:
        trust_watermarks, made_partitions = True, False
        wait_seconds = _FIRST_WAIT_SECONDS
        events = [event for delivery in deliveries for event in delivery.events]
        while events or set_aside:
            try:
                with store_errors("writing a batch"):
                    applied = await self._commit_once(events, set_aside, trust_watermarks=trust_watermarks)
                committed.applied.append(applied)
                events, set_aside = applied.leftover, ()
                continue
            except asyncpg.UniqueViolationError:
                if not trust_watermarks:
                    raise
                trust_watermarks = False  # see apply_events
                reason = "an event was known after all"
            except asyncpg.CheckViolationError:
                if made_partitions:
                    raise
                await self._make_missing_partitions(events)
                made_partitions = True
                reason = "a month had no partition yet"
            except StoreUnavailable as error:
                reason = str(error)
                _log.warning(
                    "batch.retried", attempt=committed.attempts, reason=reason, wait_seconds=round(wait_seconds, 3)
                )
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)
            committed.attempts += 1

    async def _commit_once(
        self, events: Sequence[FeedbackEvent], set_aside: Sequence[SetAsideDelivery], *, trust_watermarks: bool
    ) -> Applied:
        now = datetime.now(UTC)
        async with self._pool.acquire() as connection, connection.transaction():
            applied = await apply_events(
                connection, events, rules=self.rules, now=now, trust_watermarks=trust_watermarks
            )
            if set_aside:
                await put_aside(connection, set_aside, at=now)
        return applied

    async def _make_missing_partitions(self, events: Sequence[FeedbackEvent]) -> None:
        months = {month_of(event.occurred_at) for event in events if event.occurred_at >= self.rules.oldest_kept}
        async with self._pool.acquire() as connection:
            for month in await make_partitions(connection, months):
                _log.info("partition.made", month=f"{month:%Y-%m}")

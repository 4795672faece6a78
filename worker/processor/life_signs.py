"""Notes every few seconds that this processor lives, what it has waiting, and what came in: a board shows it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

from worker.errors import TryAgainLater
from worker.process import metrics
from worker.process.logs import Reminder, get_logger
from worker.process.pause import pause
from worker.processor.intake_counts import intake_counts
from worker.store.intake import forget_signs, note_sign, take_sign_away
from worker.store.pool import Pool

_log = get_logger()

_EVERY_SECONDS = 3.0
_TASK = "life signs"


async def show_life(pool: Pool, waiting: Mapping[str, int], stop: asyncio.Event) -> None:
    """Notes it until `stop` is set, then that it has ended. `waiting`: the parcels in each queue, as last seen.

    While Postgres is away it goes on: that is told elsewhere, and once here.
    """
    processor, reminder = uuid4(), Reminder()
    await pause(stop, _EVERY_SECONDS)  # until the queues are measured
    while not stop.is_set():
        try:
            now = datetime.now(UTC)
            await intake_counts().note(pool)
            await note_sign(
                pool, processor, now=now, oldest_age_seconds=_oldest_age(), waiting_parcels=sum(waiting.values())
            )
            await forget_signs(pool, now=now)
            reminder.over()
        except TryAgainLater as error:
            if reminder.due(type(error).__name__):
                _log.warning("task.failed", task=_TASK, reason=str(error), wait_seconds=_EVERY_SECONDS)
        await pause(stop, _EVERY_SECONDS)
    try:
        await intake_counts().note(pool)
        await take_sign_away(pool, processor)
    except TryAgainLater as error:
        _log.warning("task.failed", task=_TASK, reason=str(error), wait_seconds=0)


def _oldest_age() -> float:
    (metric,) = metrics.OLDEST_AGE_SECONDS.collect()
    return float(metric.samples[0].value)

"""Notes every few seconds that this processor lives, what it has waiting, and what came in: a board shows it."""

import asyncio
from collections.abc import Collection, Mapping
from uuid import uuid4

from worker.errors import TryAgainLater
from worker.process import metrics
from worker.process.logs import Reminder, get_logger
from worker.processor.intake_counts import intake_counts
from worker.store.intake import forget_signs, note_sign, take_sign_away
from worker.store.pool import Pool

_log = get_logger()

_EVERY_SECONDS = 3.0
_TASK = "life signs"


class LifeSigns:
    """Of one processor. While Postgres is away they are missing: that is told elsewhere, and once here."""

    def __init__(self, pool: Pool, waiting: Mapping[str, int | None]) -> None:
        """`waiting`: the parcels in each queue, as last measured; None if that is unknown."""
        self._pool = pool
        self._waiting = waiting
        self._processor = uuid4()
        self._reminder = Reminder()

    async def note(self) -> None:
        """Notes a sign, and what came in since the last one."""
        known = [parcels for parcels in self._waiting.values() if parcels is not None]
        waiting_parcels = sum(known) if len(known) == len(self._waiting) else None
        try:
            await intake_counts().note(self._pool)
            await note_sign(
                self._pool, self._processor, oldest_age_seconds=_oldest_age(), waiting_parcels=waiting_parcels
            )
            await forget_signs(self._pool)
        except TryAgainLater as error:
            if self._reminder.due(type(error).__name__):
                _log.warning("task.failed", task=_TASK, reason=str(error), wait_seconds=_EVERY_SECONDS)
        else:
            self._reminder.over()

    async def keep(self, work: Collection[asyncio.Task[None]]) -> None:
        """Notes one every few seconds until all this work has ended, then the rest that came in and that it ended."""
        while (await asyncio.wait(work, timeout=_EVERY_SECONDS))[1]:
            await self.note()
        try:
            await intake_counts().note(self._pool)
            await take_sign_away(self._pool, self._processor)
        except TryAgainLater as error:
            _log.warning("task.failed", task=_TASK, reason=str(error), wait_seconds=0)


def _oldest_age() -> float:
    (metric,) = metrics.OLDEST_AGE_SECONDS.collect()
    return float(metric.samples[0].value)

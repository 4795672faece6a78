"""Re-folds in the background, as a test takes their steps."""

import asyncio
from datetime import datetime

from tests.contacts.test_applying import NOW, POLICY
from worker.contacts.policies import Policies
from worker.jobs.refolder import Refolder
from worker.process.backlog import Backlog
from worker.store.pool import WriterPool


def refolder(
    pool: WriterPool,
    *,
    slice_entries: int = 500,
    step_seconds: float = 0,
    now: datetime = NOW,
    policies: Policies | None = None,
) -> Refolder:
    """With steps as short as can be: one slice each."""
    return Refolder(
        pool,
        policies or Policies(POLICY),
        backlog=Backlog(),
        slice_entries=slice_entries,
        step_seconds=step_seconds,
        clock=lambda: now,
    )


async def finish(pool: WriterPool, *, now: datetime = NOW, policies: Policies | None = None) -> None:
    """Works until no contact waits."""
    await refolder(pool, step_seconds=1, now=now, policies=policies).work_off(asyncio.Event())
    assert await waiting(pool) == 0


async def waiting(pool: WriterPool) -> int:
    """How many contacts are being folded again."""
    count: int = await pool.fetchval("SELECT count(*) FROM refolds")
    return count

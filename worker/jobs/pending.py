"""Measures what waits for people, and the mails that tell them: every processor shows the same numbers."""

import asyncio

from schemas.safelist import RequestKind
from worker.errors import StoreUnavailable
from worker.process import metrics
from worker.process.logs import get_logger
from worker.process.pause import pause
from worker.store.daily_summaries import count_waiting_mails
from worker.store.pool import Pool
from worker.store.safelist_requests import count_pending_requests

_log = get_logger()
_EVERY_SECONDS = 10.0


async def measure_pending(pool: Pool, stop: asyncio.Event) -> None:
    """Measures until `stop` is set. Waits for Postgres while it is away."""
    while not stop.is_set():
        try:
            await _measure(pool)
        except StoreUnavailable as error:
            _log.warning("task.failed", task="pending", reason=str(error), wait_seconds=_EVERY_SECONDS)
        await pause(stop, _EVERY_SECONDS)


async def _measure(pool: Pool) -> None:
    pending = await count_pending_requests(pool)
    for kind in RequestKind:
        metrics.SAFELIST_REQUESTS_PENDING.labels(kind.value).set(pending.get(kind.value, 0))
    metrics.SUMMARY_MAILS_WAITING.set(await count_waiting_mails(pool))

"""Measures what waits for people, and the mails that tell them: every processor shows the same numbers."""

import asyncio

from schemas.safelist import RequestKind
from worker.jobs.lookout import look_for_work
from worker.process import metrics
from worker.store.daily_summaries import count_waiting_mails
from worker.store.endpoint_states import disabled_endpoints
from worker.store.pool import Pool
from worker.store.safelist_requests import count_pending_requests

_EVERY_SECONDS = 10.0


async def measure_pending(pool: Pool, stop: asyncio.Event) -> None:
    """Measures until `stop` is set. Waits for Postgres while it is away."""

    async def measure(_stop: asyncio.Event) -> None:
        pending = await count_pending_requests(pool)
        for kind in RequestKind:
            metrics.SAFELIST_REQUESTS_PENDING.labels(kind.value).set(pending.get(kind.value, 0))
        metrics.SUMMARY_MAILS_WAITING.set(await count_waiting_mails(pool))
        disabled = await disabled_endpoints(pool)
        metrics.ENDPOINT_DISABLED.clear()  # a forgotten one is told no more
        for endpoint, is_disabled in disabled.items():
            metrics.ENDPOINT_DISABLED.labels(endpoint).set(is_disabled)

    await look_for_work(
        measure, stop, task="pending", every_seconds=_EVERY_SECONDS, longest_wait_seconds=_EVERY_SECONDS
    )

"""What waits is shown as metrics, and no longer once it has been done."""

import asyncio

from prometheus_client import REGISTRY

from tests.contacts.safelisting import a_wish, ask, complained
from tests.jobs.summaries import EIGHT, an_account, blocked, look
from tests.waiting import until
from worker.jobs.pending import measure_pending
from worker.local_services.process import free_port
from worker.store.pool import WriterPool


def shown() -> tuple[float | None, float | None, float | None]:
    """Requests to lift and to block that wait, and mails."""
    pending = "bouncekeeper_safelist_requests_pending"
    return (
        REGISTRY.get_sample_value(pending, {"kind": "lift"}),
        REGISTRY.get_sample_value(pending, {"kind": "block"}),
        REGISTRY.get_sample_value("bouncekeeper_summary_mails_waiting"),
    )


async def test_requests_that_wait_for_a_person_and_unsent_mails_are_shown(pool: WriterPool) -> None:
    await complained(pool)
    await ask(pool, wish=a_wish())
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    await look(pool, free_port(), EIGHT)  # no server is there
    stop = asyncio.Event()
    measuring = asyncio.create_task(measure_pending(pool, stop))
    await until(lambda: shown() == (1, 0, 1), "both to be shown")
    stop.set()
    await measuring

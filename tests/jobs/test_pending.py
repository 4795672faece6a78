"""What waits is shown as metrics, and no longer once it has been done."""

import asyncio
from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from tests.contacts.safelisting import a_wish, ask, complained
from tests.jobs.summaries import EIGHT, an_account, blocked, look
from tests.waiting import until
from worker.jobs.pending import measure_pending
from worker.local_services.process import free_port
from worker.store.endpoint_states import enable_endpoint, follower_name, forget_endpoint, note_failure
from worker.store.feed_followers import EXCHANGE, ensure_follower
from worker.store.pool import WriterPool


def shown() -> tuple[float | None, float | None, float | None]:
    """Requests to lift and to block that wait, and mails."""
    pending = "bouncekeeper_safelist_requests_pending"
    return (
        REGISTRY.get_sample_value(pending, {"kind": "lift"}),
        REGISTRY.get_sample_value(pending, {"kind": "block"}),
        REGISTRY.get_sample_value("bouncekeeper_summary_mails_waiting"),
    )


def disabled() -> dict[str, float]:
    """Of each endpoint that is shown, whether it is disabled."""
    (metric,) = (one for one in REGISTRY.collect() if one.name == "bouncekeeper_endpoint_disabled")
    return {sample.labels["endpoint"]: sample.value for sample in metric.samples}


async def test_an_endpoint_that_was_switched_off_is_shown_until_it_is_enabled_or_forgotten(
    pool: WriterPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.jobs.pending._EVERY_SECONDS", 0.02)
    now = datetime.now(UTC)
    for name in ("crm", "shop"):
        await ensure_follower(pool, follower_name(name))
        await note_failure(
            pool, follower_name(name), now=now, next_attempt_at=now, failure="410", disable=name == "shop"
        )
    await ensure_follower(pool, EXCHANGE)
    stop = asyncio.Event()
    measuring = asyncio.create_task(measure_pending(pool, stop))
    await until(lambda: disabled() == {"crm": 0, "shop": 1}, "the disabled one to be shown")
    assert await enable_endpoint(pool, "shop")
    await until(lambda: disabled() == {"crm": 0, "shop": 0}, "it to be enabled")
    assert await forget_endpoint(pool, "shop")
    await until(lambda: disabled() == {"crm": 0}, "it to be forgotten")
    stop.set()
    await measuring


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

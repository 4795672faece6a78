"""Summaries as tests make and send them, on a real Postgres and a real SMTP server."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from schemas.safelist import RequestKind
from tests.contacts.safelisting import ask
from worker.contacts.accounts import add_account
from worker.jobs.summary_sender import SummarySender
from worker.settings.tree import SummarySettings
from worker.store.pool import Pool, WriterPool

RECIPIENT = "owner@shop.example"
BEFORE = datetime(2026, 7, 1, 11, 30, tzinfo=UTC)  # half past seven in New York
EIGHT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def settings_for(port: int, *, hour: int = 8) -> SummarySettings:
    return SummarySettings(
        hour=hour,
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_tls="none",
        sender="bouncekeeper@shop.example",
        timeout_seconds=5,
    )


async def an_account(
    pool: Pool, *, zone: str = "America/New_York", recipients: Sequence[str] = (RECIPIENT,), name: str = "default"
) -> None:
    await add_account(
        pool,
        name,
        now=datetime(2020, 1, 1, tzinfo=UTC),
        actor="the test",
        time_zone=zone,
        summary_recipients=recipients,
    )


async def blocked(pool: WriterPool, address: str, *, at: datetime = BEFORE) -> int:
    """A request to block the contact was approved at this time; gives its id."""
    (result,) = (await ask(pool, address, kind=RequestKind.BLOCK, note="he left")).results
    assert result.request is not None
    assert result.request.id is not None
    await decided_at(pool, result.request.id, at)
    return result.request.id


async def decided_at(pool: WriterPool, request_id: int, at: datetime) -> None:
    await pool.execute("UPDATE safelist_requests SET decided_at = $2 WHERE id = $1", request_id, at)


async def look(pool: WriterPool, port: int, now: datetime, *, hour: int = 8) -> None:
    """What one processor does at this time."""
    await SummarySender(pool, settings_for(port, hour=hour), clock=lambda: now).work_off(asyncio.Event())


async def states(pool: WriterPool) -> list[tuple[str, int]]:
    """Of all mails, with the number of attempts."""
    rows = await pool.fetch("SELECT state, attempts FROM summary_mails ORDER BY id")
    return [(row["state"], row["attempts"]) for row in rows]

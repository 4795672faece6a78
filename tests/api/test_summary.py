"""`GET /v1/summary`: what is told next, what a day's summary told, and who may read it."""

from datetime import UTC, datetime, timedelta

from aiohttp import ClientSession

from schemas.decision import Role
from tests.api.test_safelist import call, token
from tests.jobs.smtp_server import smtp_server
from tests.jobs.summaries import RECIPIENT, an_account, blocked, look
from worker.store.pool import WriterPool


async def test_an_operator_reads_what_is_told_next_and_what_a_day_told(client: ClientSession, pool: WriterPool) -> None:
    await an_account(pool, zone="UTC", name="default")
    operator, reader = await token(pool, Role.OPERATOR), await token(pool, Role.READER)
    now = datetime.now(UTC)
    await blocked(pool, "gone@example.org", at=now - timedelta(days=1))

    _, coming = await call(client, "GET", "/v1/summary", headers=operator)
    async with smtp_server() as smtp:
        await look(pool, smtp.port, now, hour=0)
    path = f"/v1/summary?date={now.date().isoformat()}"
    status, told = await call(client, "GET", path, headers=operator)

    assert (coming["made_at"], coming["approved"], coming["mails"]) == (None, 1, [])
    assert (status, told["text"]) == (200, coming["text"])
    assert [(mail["recipient"], mail["state"]) for mail in told["mails"]] == [(RECIPIENT, "accepted")]
    assert (await call(client, "GET", "/v1/summary", headers=operator))[1]["text"] is None
    assert (await call(client, "GET", path, headers=reader))[0] == 403
    assert (await call(client, "GET", "/v1/summary?date=20261120", headers=operator))[0] == 422

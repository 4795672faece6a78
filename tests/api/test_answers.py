"""What holds for every answer: fails closed, says what is missing, leaves one line in the log."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web

from schemas.source import Secret
from tests.api.conftest import TOKEN
from tests.api.serving import api_on
from worker.local_services.process import free_port
from worker.process.logs import configure_logging
from worker.settings.tree import ApiSettings
from worker.store.pool import Pool, open_pool


@pytest.fixture
async def orphan(unused_dsn: str) -> AsyncIterator[ClientSession]:
    """A client of an API whose database is away."""
    pool = await open_pool(unused_dsn, connections=2, command_timeout_seconds=2, idle_connections=0)
    settings = ApiSettings(tokens=(Secret(TOKEN),))
    app = api_on(pool, settings=settings)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with ClientSession(f"http://{host}:{port}", headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session
    await runner.cleanup()
    await pool.close()


@pytest.fixture
def unused_dsn() -> str:
    return f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"


@pytest.mark.parametrize("account", ["default", "nobody-knows"])
async def test_with_the_database_away_nothing_is_allowed(orphan: ClientSession, account: str) -> None:
    async with orphan.post("/v1/check", json={"addresses": ["jane@example.org"], "account": account}) as response:
        text = await response.text()
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert json.loads(text)["type"] == "urn:bouncekeeper:problem:store-unavailable"
        assert "allowed" not in text


@pytest.mark.parametrize(
    "path", ["/v1/contacts/jane@example.org", "/v1/contacts/jane@example.org/explanation", "/v1/status-changes"]
)
async def test_with_the_database_away_every_question_is_answered_later(orphan: ClientSession, path: str) -> None:
    async with orphan.get(path) as response:
        assert response.status == 503


async def test_with_the_database_away_the_process_is_alive_and_names_what_is_missing(orphan: ClientSession) -> None:
    async with orphan.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"alive": True})
    async with orphan.get("/readyz") as response:
        state = await response.json()
        assert (response.status, state["ready"]) == (503, False)
        assert "Postgres" in state["missing"][0]


async def test_a_database_without_the_schema_is_named_with_the_remedy(postgres_dsn: str) -> None:
    pool = await open_pool(postgres_dsn, connections=1, command_timeout_seconds=5)
    app = api_on(pool)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with ClientSession() as session, session.get(f"http://{host}:{port}/readyz") as response:
            missing = (await response.json())["missing"]
            assert response.status == 503
            assert any("bouncekeeper migrate" in what for what in missing)
            assert len(missing) == 1
    finally:
        await runner.cleanup()
        await pool.close()


async def test_a_database_that_comes_back_is_used_again(client: ClientSession, pool: Pool) -> None:
    """Postgres ends every session, as at a restart; the pool opens new ones."""
    question = {"addresses": ["jane@example.org"]}
    async with client.post("/v1/check", json=question) as response:
        assert response.status == 200
    async with pool.acquire() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    async with asyncio.timeout(10):
        while True:
            async with client.post("/v1/check", json=question) as response:
                assert response.status in {200, 503}
                if response.status == 200:
                    break


async def test_a_ready_api_says_so(stranger: ClientSession) -> None:
    async with stranger.get("/readyz") as response:
        assert (response.status, await response.json()) == (200, {"ready": True, "missing": []})


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: ClientSession) -> None:
    async with client.get("/v1/nothing") as response:
        assert response.status == 404
        assert (await response.json())["type"] == "urn:bouncekeeper:problem:no-such-route"
    async with client.get("/v1/check") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert (await response.json())["type"] == "urn:bouncekeeper:problem:wrong-method"


async def test_every_answer_leaves_one_line_without_any_address(
    client: ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(strict=True)
    async with client.post("/v1/check", json={"addresses": ["jane@example.org", "none"]}) as response:
        assert response.status == 200
    async with client.get("/v1/contacts/jane@example.org") as response:
        assert response.status == 404
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    checked, looked_up = (line for line in lines if line["event"] == "api.answered")
    assert (checked["route"], checked["http_status"], checked["allowed"], checked["forbidden"]) == (
        "/v1/check",
        200,
        1,
        1,
    )
    assert checked["seconds"] > 0
    assert (looked_up["route"], looked_up["problem"]) == ("/v1/contacts/{address}", "unknown-contact")
    assert looked_up["contact"] == "j***@example.org"
    assert "jane@" not in str(lines)


async def test_probes_leave_no_line_while_all_is_well(
    stranger: ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(strict=True)
    for path in ("/healthz", "/readyz", "/metrics"):
        async with stranger.get(path) as response:
            assert response.status == 200
            assert "Server" not in response.headers  # it would name versions
    assert "api.answered" not in capsys.readouterr().err


async def test_answers_are_counted(client: ClientSession) -> None:
    async with client.post("/v1/check", json={"addresses": ["jane@example.org"]}) as response:
        assert response.status == 200
    async with client.get("/metrics") as response:
        numbers = await response.text()
    assert 'bouncekeeper_checked_addresses_total{answer="allowed"}' in numbers
    assert 'bouncekeeper_api_seconds_count{http_status="200",route="/v1/check"}' in numbers

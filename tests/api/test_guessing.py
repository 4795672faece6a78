"""Wrong tokens over HTTP: slowed down by the caller's address, logged now and then, counted always."""

import json
from collections import Counter
from typing import Any

import prometheus_client
import pytest
from aiohttp import ClientSession

from tests.api.conftest import TOKEN
from worker.api.token_guesses import TRIES
from worker.process.logs import configure_logging


async def ask(client: ClientSession, token: str, caller: str = "198.51.100.1") -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": caller}
    async with client.get("/v1/status-changes", headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status != 429 or int(response.headers["Retry-After"]) > 0
        return response.status, answer


def counted(reason: str) -> float:
    return prometheus_client.REGISTRY.get_sample_value("bouncekeeper_api_refused_total", {"reason": reason}) or 0.0


async def test_wrong_tokens_are_slowed_down_by_the_address_that_the_trusted_proxy_names(
    stranger: ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(strict=True)
    before = {reason: counted(reason) for reason in ("wrong_token", "guessing")}
    assert (await ask(stranger, TOKEN))[0] == 200
    statuses = Counter([(await ask(stranger, f"guess {number}"))[0] for number in range(200)])
    assert set(statuses) == {401, 429}
    assert TRIES <= statuses[401] < 50
    assert (await ask(stranger, TOKEN))[0] == 200  # it was valid from here before
    assert (await ask(stranger, TOKEN, "198.51.100.2"))[0] == 200
    status, problem = await ask(stranger, "another guess")
    if status == 429:
        assert problem["type"] == "urn:bouncekeeper:problem:too-many-wrong-tokens"
    assert sum(counted(reason) - before[reason] for reason in before) == 201
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [line for line in lines if line["event"] == "token.refused"]
    assert [(line["remote_address"], line["reason"], line["count"]) for line in told] == [
        ("198.51.100.1", "wrong_token", 1)
    ]
    assert {line["http_status"] for line in lines if line["event"] == "api.answered"} == {200}
    assert TOKEN not in str(lines)


async def test_a_flood_from_many_addresses_leaves_few_lines(
    stranger: ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(strict=True)
    for number in range(100):
        assert (await ask(stranger, "wrong", f"203.0.113.{number}"))[0] == 401
    assert capsys.readouterr().err.count("token.refused") == 30


async def test_an_address_that_the_caller_claims_is_not_believed_from_anybody_but_the_proxy(
    stranger: ClientSession,
) -> None:
    """The proxy of the test is this machine; what stands left of its own line was written by the caller."""
    statuses = [
        (await ask(stranger, f"guess {number}", f"203.0.113.{number}, 198.51.100.9"))[0] for number in range(10 * TRIES)
    ]
    assert statuses.count(429) > 0

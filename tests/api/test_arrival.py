"""Questions that come too slowly, or in a shape that costs more than they are worth, get a problem as all others do."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from tests.waiting import pause


async def body_that_never_ends() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await pause(0.02, "the body drips in")


async def body_in_tiny_chunks() -> AsyncIterator[bytes]:
    for _ in range(100_000):
        yield b" "


async def test_a_question_that_drips_in_is_cut_off(client: ClientSession) -> None:
    async with client.post("/v1/check", data=body_that_never_ends()) as answer:
        assert answer.status == 408
        problem = await answer.json(content_type="application/problem+json")
    assert problem["type"] == "urn:bouncekeeper:problem:slow-request"
    assert "faster" in problem["remedy"]


@pytest.mark.slow
async def test_a_question_in_chunks_of_one_byte_is_cut_off(client: ClientSession) -> None:
    async with client.post("/v1/check", data=body_in_tiny_chunks()) as answer:
        assert answer.status == 400
        problem = await answer.json(content_type="application/problem+json")
    assert problem["type"] == "urn:bouncekeeper:problem:tiny-chunks"
    assert "Content-Length" in problem["remedy"]


async def test_an_asker_who_goes_away_within_his_question_is_no_defect(
    client: ClientSession, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.post("/v1/check", data=body_that_never_ends())
    async with client.get("/healthz") as answer:
        assert answer.status == 200
    text = capsys.readouterr().err
    assert "api.failed" not in text
    assert "Traceback" not in text

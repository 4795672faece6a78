"""Callers who send their question drop by drop, do not send it whole, or never read the answer."""

import asyncio
import gzip
import json
from collections import deque
from collections.abc import Callable

import prometheus_client
import pytest
from aiohttp import ClientSession

from schemas.vocabulary import Cause, Kind
from tests.api.conftest import TOKEN, Store
from tests.schemas.feedback_events import make_event
from tests.waiting import until
from worker.api import request_body, request_edge

HEAD = f"POST /v1/check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"


async def send(base_url: str, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(base_url.rpartition(":")[2]), limit=64)
    writer.write(text.encode())
    return reader, writer


async def test_a_question_that_does_not_come_whole_is_refused_after_a_while(
    base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "READ_SECONDS", 0.05)
    reader, writer = await send(base_url, HEAD + 'Content-Length: 1000\r\n\r\n{"addresses"')
    async with asyncio.timeout(10):
        assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.transport.abort()


@pytest.mark.slow
async def test_an_answer_that_is_not_read_is_given_up_after_a_while(
    base_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cause, diagnostic = Cause.MAILBOX_DOES_NOT_EXIST, "x" * 2000
    await store(
        [
            make_event(Kind.HARD_BOUNCE, cause=cause, day=day, message=f"m{day}", diagnostic=diagnostic)
            for day in range(60)
        ]
    )
    monkeypatch.setattr(request_edge, "SEND_SECONDS", 0.5)
    question = HEAD.replace("POST /v1/check", "GET /v1/contacts/jane@example.org/explanation") + "\r\n"
    _, writer = await send(base_url, question * 300)  # more than the sockets between take in
    await until(lasting(lambda: held() > 0), "the answers to be held")
    await until(lasting(lambda: held() == 0), "the answers to be given up")
    writer.transport.abort()


def held() -> float:
    return prometheus_client.REGISTRY.get_sample_value("bouncekeeper_api_bytes_under_way") or 0.0


def lasting(state: Callable[[], bool]) -> Callable[[], bool]:
    """True once the state is seen ten times in a row: between two answers nothing is held for a moment."""
    seen = deque([False], maxlen=10)

    def lasts() -> bool:
        seen.append(state())
        return len(seen) == seen.maxlen and all(seen)

    return lasts


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {"Content-Encoding": "deflate"}])
async def test_what_is_not_coded_as_it_says_is_refused(client: ClientSession, headers: dict[str, str]) -> None:
    async with client.post("/v1/check", data=b'{"addresses": []}', headers=headers) as response:
        assert (response.status, response.content_type) == (400, "application/problem+json")


async def test_a_compressed_question_is_answered_and_its_limit_is_that_of_its_text(client: ClientSession) -> None:
    headers = {"Content-Encoding": "gzip"}
    body = gzip.compress(json.dumps({"addresses": ["jane@example.org"]}).encode())
    async with client.post("/v1/check", data=body, headers=headers) as response:
        assert response.status == 200
    async with client.post("/v1/check", data=gzip.compress(b" " * 20_000_000), headers=headers) as response:
        assert response.status == 413


async def test_texts_far_beyond_the_limit_are_not_even_decoded(client: ClientSession) -> None:
    body = b'{"addresses": [' + b'"a",' * 20_000 + b'"a"]}'
    async with client.post("/v1/check", data=body) as response:
        assert response.status == 413
        assert "more than 50 addresses" in (await response.json())["detail"]

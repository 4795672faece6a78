"""Requests to the API: traced for whoever has a token, and in the caller's trace."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from schemas.source import Secret
from tests.api.serving import api_on, serving
from tests.captured_lines import capture_logs
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from worker.settings.tree import ApiSettings
from worker.store.pool import WriterPool

TOKEN = "a-token-of-the-test-that-is-long"
CONTACT = "GET /v1/contacts/{address}"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
async def client(api_pool: WriterPool) -> AsyncIterator[ClientSession]:
    app = api_on(api_pool, settings=ApiSettings(tokens=(Secret(TOKEN),)))
    async with serving(app) as url, ClientSession(url) as session:
        yield session


async def get(client: ClientSession, path: str, **headers: str) -> int:
    async with client.get(path, headers={"Authorization": f"Bearer {TOKEN}", **headers}) as answer:
        return answer.status


async def test_a_request_is_a_span_that_names_the_route_and_nobody(
    client: ClientSession, tracing: Tracing, collector: Collector
) -> None:
    with capture_logs() as lines:
        async with tracing():
            assert await get(client, "/v1/contacts/jane@example.org?account=default") == 404
    span = await collector.one(CONTACT)
    assert (span.kind, span.parent_id, span.failed) == ("SERVER", "", False)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/contacts/{address}",
        "http.response.status_code": 404,
        "url.scheme": "http",
    }
    assert span.started_ns < span.ended_ns
    (line,) = [line for line in lines if line["event"] == "api.answered"]
    assert line["trace_id"] == span.trace_id


async def test_the_trace_of_an_application_with_a_token_is_continued(
    client: ClientSession, tracing: Tracing, collector: Collector
) -> None:
    async with tracing(ratio=0.0):
        await get(client, "/v1/contacts/jane@example.org", traceparent=f"00-{TRACE}-{CALLER}-01")
        await get(client, "/v1/contacts/jane@example.org", traceparent=f"00-{TRACE}-{CALLER}-00")
    span = await collector.one(CONTACT)
    assert (span.trace_id, span.parent_id) == (TRACE, CALLER)


async def test_nobody_without_a_token_makes_a_span_nor_do_probes(
    client: ClientSession, tracing: Tracing, collector: Collector
) -> None:
    async with tracing():
        header = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        async with client.get("/v1/contacts/jane@example.org", headers=header) as answer:
            assert answer.status == 401
        assert await get(client, "/readyz", **header) == 200
        assert await get(client, "/v1/openapi.yaml", **header) == 200
    assert not collector.spans

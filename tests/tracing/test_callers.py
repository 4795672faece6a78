"""Whose trace is continued, and who can have a request traced."""

import pytest

from tests.process_roles import as_process
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from tests.tracing.traced_receiver import REQUEST, SEND, post, receiver
from worker.queue.postgres import PostgresWriter

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{CALLER}-01", f"00-{TRACE}-{CALLER}-00"
PROXY = ("127.0.0.1",)


@pytest.fixture
async def writer(database_dsn: str) -> PostgresWriter:
    return await PostgresWriter.open(as_process(database_dsn, "receiver"))


async def test_the_trace_of_a_trusted_proxy_is_continued_if_the_operator_says_so(
    writer: PostgresWriter, tracing: Tracing, collector: Collector
) -> None:
    # The proxy decides what is traced, not our ratio.
    async with tracing(ratio=0.0, continue_from_proxies=True), receiver(writer, trusted_proxies=PROXY) as receiving:
        await post(receiving, 1, traceparent=SAMPLED, tracestate="vendor=state,other=1")
        await post(receiving, 2, traceparent=NOT_SAMPLED)
        await post(receiving, 3)
    request, send = await collector.one(REQUEST), await collector.one(SEND)
    assert (request.trace_id, request.parent_id, request.links) == (TRACE, CALLER, [])
    assert (send.trace_id, send.parent_id) == (TRACE, request.span_id)
    assert request.trace_state == send.trace_state == "vendor=state,other=1"


@pytest.mark.parametrize(
    ("settings", "trusted_proxies"),
    [
        pytest.param({"continue_from_proxies": True}, (), id="from somebody else than a proxy"),
        pytest.param({"continue_from_proxies": True}, ("192.0.2.1",), id="from somebody else than this proxy"),
        pytest.param({}, PROXY, id="from a proxy that may pass on what it gets"),
    ],
)
async def test_to_the_trace_of_anybody_else_there_is_only_a_link(
    settings: dict[str, bool],
    trusted_proxies: tuple[str, ...],
    writer: PostgresWriter,
    tracing: Tracing,
    collector: Collector,
) -> None:
    async with tracing(**settings), receiver(writer, trusted_proxies=trusted_proxies) as receiving:
        await post(receiving, 1, traceparent=SAMPLED)
    request = await collector.one(REQUEST)
    assert request.parent_id == ""
    assert request.trace_id != TRACE
    assert request.links == [(TRACE, CALLER)]


async def test_nobody_else_can_have_a_request_traced(
    writer: PostgresWriter, tracing: Tracing, collector: Collector
) -> None:
    async with tracing(ratio=0.0, continue_from_proxies=True), receiver(writer) as receiving:
        await post(receiving, *range(20), traceparent=SAMPLED)
    assert not collector.spans


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{CALLER}",
        f"00-{TRACE.upper()}-{CALLER}-01",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{CALLER}-01",
        f"00-{TRACE}-{CALLER}-01-more",
        "9" * 5000,
        "\u00e9\u00e9",
    ],
)
async def test_a_header_that_is_none_is_ignored(
    traceparent: str, writer: PostgresWriter, tracing: Tracing, collector: Collector
) -> None:
    async with tracing(continue_from_proxies=True), receiver(writer, trusted_proxies=PROXY) as receiving:
        await post(receiving, 1, traceparent=traceparent, tracestate="=,=,\t")
    request = await collector.one(REQUEST)
    assert (request.parent_id, request.links) == ("", [])


async def test_a_later_version_of_the_header_is_read_as_far_as_it_is_known(
    writer: PostgresWriter, tracing: Tracing, collector: Collector
) -> None:
    async with tracing(continue_from_proxies=True), receiver(writer, trusted_proxies=PROXY) as receiving:
        await post(receiving, 1, traceparent=f"01-{TRACE}-{CALLER}-01-more")
    assert (await collector.one(REQUEST)).trace_id == TRACE


async def test_two_headers_are_no_header(writer: PostgresWriter, tracing: Tracing, collector: Collector) -> None:
    async with tracing(continue_from_proxies=True), receiver(writer, trusted_proxies=PROXY) as receiving:
        answer = await receiving.exchange(
            b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
            + f"traceparent: {SAMPLED}\r\ntraceparent: {SAMPLED}\r\n\r\n".encode()
        )
        assert answer.startswith(b"HTTP/1.1 401")
    request = await collector.one(REQUEST)
    assert (request.parent_id, request.links) == ("", [])


async def test_a_method_that_is_no_common_one_gets_no_name_of_its_own(
    writer: PostgresWriter, tracing: Tracing, collector: Collector
) -> None:
    async with (
        tracing(),
        receiver(writer) as receiving,
        receiving.client.request("PROPFIND", "/webhooks/shop") as answer,
    ):
        assert answer.status == 405
    span = await collector.one("_OTHER /webhooks/shop")
    assert span.attributes["http.request.method"] == "_OTHER"

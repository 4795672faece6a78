"""A collector that is away, slow or refuses: webhooks and batches go on, spans are dropped, counted and told of."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY
from structlog.typing import EventDict

from schemas.source import Secret
from tests.captured_lines import capture_logs
from tests.process_roles import as_process
from tests.processor.test_service import processor, settings_for, until_answered
from tests.tracing.collector import Collector
from tests.tracing.conftest import Tracing
from tests.tracing.traced_receiver import BLOCKED, post, receiver
from tests.waiting import until
from worker.local_services.process import free_port
from worker.queue.postgres import PostgresWriter
from worker.tracing.tracer import active_tracer

WEBHOOKS = 40
SPANS = WEBHOOKS * 3  # of the request, the queueing and the processing; the loads' come on top


def dropped(outcome: str) -> float:
    return REGISTRY.get_sample_value("bouncekeeper_spans_total", {"outcome": outcome}) or 0.0


async def all_take_effect(dsn: str) -> None:
    writer = await PostgresWriter.open(as_process(dsn, "receiver"))
    async with receiver(writer) as receiving, processor(settings_for(dsn, None)):
        await post(receiving, *range(WEBHOOKS))
        await until_answered(dsn, BLOCKED, WEBHOOKS)


async def test_while_the_collector_is_away_all_goes_on_and_one_line_tells_how_many_spans_are_lost(
    database_dsn: str, tracing: Tracing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    before = dropped("not_taken")
    with capture_logs() as lines:
        async with tracing(endpoint=f"http://127.0.0.1:{free_port()}"):
            await all_take_effect(database_dsn)
            await until(lambda: dropped("not_taken") > before, "spans that are not taken")
    told = [line for line in lines if line["event"] == "spans.dropped"]
    assert sum(line["count"] for line in told) >= SPANS
    assert dropped("not_taken") - before >= SPANS
    assert told[0]["reason"] == "not_taken"
    assert "Connection refused" in told[0]["detail"]
    assert len(told) <= 2  # at once, and when the process ends


async def test_while_the_collector_does_not_answer_the_queue_stays_small_and_the_stop_waits_for_nobody(
    database_dsn: str, tracing: Tracing, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    collector.may_answer.clear()
    before = {reason: dropped(reason) for reason in ("queue_full", "stopped")}
    with capture_logs() as lines:
        async with tracing(close_seconds=0.3):
            await all_take_effect(database_dsn)
            began = time.monotonic()
        assert time.monotonic() - began < 3
    told = {line["reason"]: line["count"] for line in lines if line["event"] == "spans.dropped"}
    assert set(told) == {"queue_full", "stopped"}
    assert dropped("queue_full") - before["queue_full"] >= SPANS - 20
    assert 0 < dropped("stopped") - before["stopped"] <= 10


async def test_a_collector_that_has_too_much_is_asked_again_after_a_while(
    database_dsn: str, tracing: Tracing, collector: Collector
) -> None:
    collector.status = 429
    async with tracing():
        await all_take_effect(database_dsn)
        await until(lambda: len(collector.headers) > 1, "a second attempt")
        collector.status = 200
        await collector.until(lambda: len(collector.spans) >= SPANS, "all spans")


async def test_what_the_exporter_complains_of_is_no_line_of_another_form(
    database_dsn: str, tracing: Tracing, collector: Collector, capfd: pytest.CaptureFixture[str]
) -> None:
    collector.status = 400
    async with tracing():
        await all_take_effect(database_dsn)
        await until(lambda: len(collector.headers) > 0, "an attempt")
        await asyncio.sleep(0)
    assert all(line.startswith("{") for line in capfd.readouterr().err.splitlines())


async def test_no_key_is_in_a_line_of_the_log_or_of_the_sdk(
    database_dsn: str, tracing: Tracing, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    url = f"http://127.0.0.1:{free_port()}/otlp/KEY4?token=KEY5"
    # The SDK cannot read the first and shows it; `requests` refuses the second and shows it.
    for headers in ("authorization: Bearer KEY1", "x-key=KEY2%0D%0AKEY3"):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", headers)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)
        with capture_logs() as lines:
            async with tracing(endpoint="", headers=Secret("x-other=KEY6")):
                await all_take_effect(database_dsn)
        (told, *_) = [line for line in lines if line["event"] == "spans.dropped"]
        assert told["reason"] == "not_taken"
        assert told["detail"]
        assert "KEY" not in repr(lines) + capfd.readouterr().err


async def test_what_the_collector_said_once_is_in_no_line_about_something_else(
    tracing: Tracing, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    collector.status = 400
    with capture_logs() as lines:
        async with tracing():
            end_span()
            await until(lambda: bool(told_of(lines, "not_taken")), "a refusal")
            collector.status = 200
            for _ in range(50):
                end_span()
            await until(lambda: bool(told_of(lines, "queue_full")), "a full queue")
    assert told_of(lines, "not_taken")[0]["detail"] == "Failed to export spans batch code: 400, reason: Bad Request"
    assert {line["detail"] for line in told_of(lines, "queue_full")} == {""}


def told_of(lines: list[EventDict], reason: str) -> list[EventDict]:
    return [line for line in lines if line["event"] == "spans.dropped" and line["reason"] == reason]


def end_span() -> None:
    tracer = active_tracer()
    assert tracer is not None
    span = tracer.request("request", {})
    assert span is not None
    span.end()

"""The doctor asks the collector, and says what to do."""

import json
from pathlib import Path

import pytest

from tests.commands.shell import Shell
from tests.tracing.collector import Collector
from worker.commands.support.doctor_traces import look_at_traces
from worker.commands.support.finding import Level
from worker.local_services.process import free_port
from worker.settings.tree import TracesSettings


async def test_a_collector_that_takes_spans_is_well(collector: Collector) -> None:
    (finding,) = await look_at_traces(TracesSettings(enabled=True, endpoint=collector.url))
    assert (finding.what, finding.level) == ("traces", Level.WELL)
    assert f"at {collector.url} takes" in finding.detail
    assert not collector.spans


async def test_one_that_is_away_or_refuses_is_wrong_with_the_reason(collector: Collector) -> None:
    collector.status = 403
    (refused,) = await look_at_traces(TracesSettings(enabled=True, endpoint=collector.url))
    (away,) = await look_at_traces(TracesSettings(enabled=True, endpoint=f"http://127.0.0.1:{free_port()}"))
    assert "403" in refused.detail
    assert "refused" in away.detail
    assert [refused.level, away.level] == [Level.WRONG, Level.WRONG]
    assert "4317 is gRPC" in away.remedy


async def test_the_doctor_shows_no_key_of_a_url_or_a_header(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    away = f"127.0.0.1:{free_port()}"
    for address in (away, collector.url.removeprefix("http://")):
        url = f"http://user:KEY1@{address}/otlp/KEY2?token=KEY3"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization: Bearer KEY4")
        (finding,) = await look_at_traces(TracesSettings(enabled=True))
        assert f"at http://{address} takes no spans" in finding.detail
        assert "KEY" not in repr(finding)
        assert "Header format invalid" in finding.detail  # so the collector does not get it
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector/KEY5")
    (finding,) = await look_at_traces(TracesSettings(enabled=True))
    assert finding.level == Level.WRONG
    assert "KEY" not in repr(finding) + capfd.readouterr().err


async def test_the_doctor_says_that_the_sdks_own_switch_is_off(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    (finding,) = await look_at_traces(TracesSettings(enabled=True, endpoint=collector.url))
    assert finding.level == Level.NOTE
    assert "OTEL_SDK_DISABLED" in finding.detail
    assert not collector.headers


async def test_without_traces_the_doctor_says_nothing_of_them_and_with_a_mistake_what_to_do(
    tmp_path: Path, database_dsn: str
) -> None:
    assert await look_at_traces(TracesSettings()) == []
    shell = Shell(folder=tmp_path, dsn=database_dsn, configuration='[traces]\nenabled = true\nendpoint = "collector"\n')
    outcome = await shell.run("doctor", "--json")
    assert outcome.status == 3
    (finding,) = json.loads(outcome.output)["findings"]
    assert "write http://collector:4318" in finding["detail"]

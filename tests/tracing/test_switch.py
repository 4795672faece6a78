"""The switch: what is imported, what a process is called, and that a stop loses no span."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from schemas.source import Secret
from tests.commands.shell import Shell
from tests.process_roles import as_process
from tests.receiver.running_receiver import bounce
from tests.surroundings import REPOSITORY
from tests.tracing.collector import Collector
from tests.tracing.traced_receiver import REQUEST, SAMPLES, SEND
from tests.waiting import until
from worker.local_services.process import free_port
from worker.settings.tree import QueueSettings, TracesSettings
from worker.tracing.switch import resource_of, tracing
from worker.tracing.tracer import active_tracer

POSTGRES_QUEUE = QueueSettings(adapter="postgres")
# Every module but those of the SDK's side, which the switch imports.
IMPORT_ALL = """
import pkgutil, sys
import schemas, worker
packages = (schemas, worker)
names = [one.name for package in packages for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
for name in sorted(set(names) - {"worker.__main__", "worker.tracing.otel_tracer", "worker.tracing.span_queue"}):
    __import__(name)
print(len(names), *sorted(name for name in sys.modules if name.startswith(("opentelemetry", "google", "requests"))))
"""


async def errors_of_receiver(folder: Path, dsn: str, configuration: str = "") -> str:
    """What `bouncekeeper receiver` writes to stderr, which takes one webhook and is asked to stop."""
    port = free_port()
    (secret,) = SAMPLES.secrets_for_source()
    sources = f'[sources.shop]\nprovider = "postmark"\nsecrets = ["{secret.reveal()}"]\n'
    configuration = f"[receiver]\nport = {port}\n{sources}{configuration}"
    process = await Shell(folder=folder, dsn=as_process(dsn, "receiver"), configuration=configuration).start("receiver")
    try:
        async with aiohttp.ClientSession() as client:
            (webhook,) = SAMPLES.requests([bounce()], now=datetime.now(UTC))

            async def is_taken() -> bool:
                url = f"http://127.0.0.1:{port}/webhooks/shop"
                async with client.post(url, data=webhook.body, headers=webhook.headers) as answer:
                    return answer.status == 200

            await until(is_taken, "the receiver", not_yet=aiohttp.ClientError)
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return errors.decode()


async def test_without_the_setting_a_process_imports_nothing_of_opentelemetry(
    tmp_path: Path, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")  # as an operator of Kubernetes may set it
    errors = await errors_of_receiver(tmp_path, database_dsn)
    assert "worker.tracing.tracer" in errors  # so imports are listed
    assert "opentelemetry" not in errors


def test_no_module_imports_anything_of_opentelemetry_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    count, *found = done.stdout.split()
    assert int(count) > 300
    assert not found


async def test_a_process_that_stops_sends_its_spans_first(
    tmp_path: Path, database_dsn: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    (tmp_path / "key").write_text("api-key=secret%20of%20the%20collector\n")
    traces = f'[traces]\nenabled = true\nratio = 1\nendpoint = "{collector.url}"\nheaders_file = "key"\n'
    errors = await errors_of_receiver(tmp_path, database_dsn, traces)
    assert {span.name for span in collector.spans} == {REQUEST, SEND}
    resource = collector.spans[0].resource
    assert resource["service.name"] == "bouncekeeper-receiver"
    assert resource["service.namespace"] == "bouncekeeper"
    assert resource["deployment.environment.name"] == "test"
    assert {headers["api-key"] for headers in collector.headers} == {"secret of the collector"}
    assert "secret of the collector" not in errors
    assert "spans.dropped" not in errors


def test_traces_are_made_inside_the_block_and_not_without_the_setting() -> None:
    with tracing(TracesSettings(), POSTGRES_QUEUE, "receiver"):
        assert active_tracer() is None
    with tracing(TracesSettings(enabled=True, headers=Secret("a=b")), POSTGRES_QUEUE, "receiver"):
        assert active_tracer() is not None
    assert active_tracer() is None


def test_the_sdks_own_switch_switches_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with tracing(TracesSettings(enabled=True), POSTGRES_QUEUE, "receiver"):
        assert active_tracer() is None


@pytest.mark.parametrize(
    ("setting", "variable", "name"),
    [("", "", "bouncekeeper-api"), ("", "mail-bounces", "mail-bounces"), ("bounces", "mail-bounces", "bounces")],
)
def test_a_process_has_the_name_that_the_operator_gave_it(
    setting: str, variable: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", variable)
    assert resource_of(TracesSettings(enabled=True, service_name=setting), "api").attributes["service.name"] == name

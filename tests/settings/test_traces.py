"""The settings of traces: what they must be, told with all other mistakes, and no secret is repeated."""

import sys
from pathlib import Path

import pytest

from schemas.source import Secret
from worker.errors import ImpossibleSetting
from worker.settings.configuration import load_settings
from worker.settings.traces import header_fields, traces_url
from worker.settings.tree import Settings, TracesSettings

SERVICES = '[postgres]\nurl = "postgresql://db.example.org/keeper"\n[queue]\nadapter = "postgres"\n'


def load(folder: Path, traces: str) -> Settings:
    file = folder / "bouncekeeper.toml"
    file.write_text(f"{SERVICES}[traces]\n{traces}")
    return load_settings(config_file=file, environment={}, overrides={})


def mistakes(folder: Path, traces: str) -> str:
    with pytest.raises(ImpossibleSetting) as caught:
        load(folder, traces)
    return str(caught.value)


def test_traces_are_off_and_then_nothing_of_them_must_be_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    settings = load(tmp_path, 'endpoint = "nonsense"\nheaders = "nonsense"\n')
    assert not settings.traces.enabled


def test_a_collector_with_a_key_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("authorization=Bearer%20geheim,x-team=mail\n")
    text = 'enabled = true\nendpoint = "http://collector:4318"\nheaders_file = "key"\nratio = 0.01\n'
    assert load(tmp_path, text).traces == TracesSettings(
        enabled=True,
        endpoint="http://collector:4318",
        headers=Secret("authorization=Bearer%20geheim,x-team=mail"),
        ratio=0.01,
    )


def test_all_mistakes_are_told_at_once_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    text = 'enabled = true\nendpoint = "http://user:geheim@collector:4318"\nheaders = "geheim"\nratio = 2\n'
    told = mistakes(tmp_path, text)
    assert "4 mistakes" in told
    assert "packages for traces are not installed: pip install 'bouncekeeper[traces]'" in told
    assert "write http://collector:4318" in told
    assert "traces.headers cannot be read: write name=value,name=value" in told
    assert "traces.ratio" in told
    assert "geheim" not in told


@pytest.mark.parametrize(
    "endpoint",
    [
        "collector:4318",
        "grpc://collector:4317",
        "http://",
        "http://collector:port",
        "http://collector:4318?key=geheim",
        "http://[::1",
    ],
)
def test_an_endpoint_is_the_url_of_a_collector_and_holds_no_key(endpoint: str, tmp_path: Path) -> None:
    assert "traces.endpoint is not the URL" in mistakes(tmp_path, f'enabled = true\nendpoint = "{endpoint}"\n')


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://otlp.example.com/v1/traces", "https://otlp.example.com/v1/traces"),
        ("https://otlp.example.com/otlp/v1/traces", "https://otlp.example.com/otlp/v1/traces"),
    ],
)
def test_the_path_is_added_unless_there_is_one(endpoint: str, url: str) -> None:
    assert traces_url(endpoint) == url


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("api-key=a=b==", {"api-key": "a=b=="}),
        (" Authorization = Basic%20YTpi , x=%2C,", {"authorization": "Basic YTpi", "x": ","}),
        ("authorization=%20Bearer%20a%09, x =%20", None),
        ("authorization=%20Bearer%20a%09", {"authorization": "Bearer a"}),  # requests refuses it, and shows it
        ("", {}),
        ("=value", None),
        ("na me=value", None),
        ("name=", None),
        ("name=line%0D%0Aother: header", None),
        ("name=gr\u00fcn", None),
    ],
)
def test_headers_are_spelt_as_in_the_variable_of_the_sdk(text: str, fields: dict[str, str] | None) -> None:
    assert header_fields(text) == fields

"""What the settings of traces must be, and how their texts are read."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

TRACES_PATH = "/v1/traces"
EXTRA = "pip install 'bouncekeeper[traces]'"
_EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]+")


def mistakes_in_traces(values: Mapping[str, Any]) -> list[str]:
    """Every mistake of the section `traces`, each with its remedy. Switched off, it has none."""
    if values.get("traces.enabled") is not True:
        return []
    mistakes = []
    if not extra_is_installed():
        mistakes.append(
            f"traces.enabled is true, but the packages for traces are not installed: {EXTRA}, or set it to false"
        )
    endpoint = values.get("traces.endpoint", "")
    if endpoint and not _is_url(endpoint):
        mistakes.append(
            "traces.endpoint is not the URL of a collector: write http://collector:4318, without a query or a password;"
            " traces.headers_file is for keys (its value is not shown here)"
        )
    headers = values.get("traces.headers")
    if headers is not None and header_fields(headers.reveal()) is None:
        mistakes.append(
            "traces.headers cannot be read: write name=value,name=value, with commas, spaces and other special"
            " characters in a value percent-encoded (its value is not shown here)"
        )
    return mistakes


def extra_is_installed() -> bool:
    """True if the packages of the extra `traces` are there. Imports none of ours."""
    try:
        return find_spec(_EXPORTER) is not None
    except ModuleNotFoundError:
        return False


def traces_url(endpoint: str) -> str:
    """The URL that spans are posted to. A path that somebody has written is kept."""
    return endpoint if urlsplit(endpoint).path.strip("/") else endpoint.rstrip("/") + TRACES_PATH


def header_fields(text: str) -> dict[str, str] | None:
    """The headers of `name=value,name=value`, by lower-case names; None if it cannot be read.

    Spelt as in OTEL_EXPORTER_OTLP_HEADERS (W3C Baggage, without properties).
    """
    fields = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = part.strip().partition("=")
        name, value = name.strip().lower(), unquote(value).strip(" \t")
        if not (equals and _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
            return None
        fields[name] = value
    return fields


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and not (parts.query or parts.fragment or "@" in parts.netloc)
    )

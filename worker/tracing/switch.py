"""Switches the traces of a process on and off, as the settings say."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.settings.traces import TRACES_PATH, header_fields, traces_url
from worker.settings.tree import QueueSettings, TracesSettings
from worker.tracing.last_trouble import LastTrouble
from worker.tracing.tracer import use_tracer

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource

    from worker.tracing.otel_tracer import OtelTracer

# When a process ends, after its accepted work: less than the time that service managers leave it for that.
FLUSH_SECONDS = 3.0
_MESSAGING_SYSTEMS = {"rabbitmq": "rabbitmq", "postgres": "postgresql"}


@contextmanager
def tracing(settings: TracesSettings, queue: QueueSettings, role: str) -> Iterator[None]:
    """Traces are made inside the block if they are enabled; spans that wait at its end are sent, for FLUSH_SECONDS."""
    if not settings.enabled or sdk_is_disabled():
        yield
        return
    tracer = make_tracer(settings, queue, role)
    use_tracer(tracer)
    try:
        yield
    finally:
        use_tracer(None)
        tracer.close(FLUSH_SECONDS)


def sdk_is_disabled() -> bool:
    """True if the SDK's own switch for all that it does is off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def collector_origin(settings: TracesSettings) -> str:
    """Where the collector is, as `http://collector:4318`. The rest of its URL may hold a key."""
    try:
        parts = urlsplit(collector_url(settings))
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        return "an address that is no URL"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def collector_url(settings: TracesSettings) -> str:
    """Where spans are posted to: by the setting, or by the variables of the SDK, as it reads them."""
    if settings.endpoint:
        return traces_url(settings.endpoint)
    if endpoint := os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return endpoint
    return (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or "http://localhost:4318").rstrip("/") + TRACES_PATH


def make_exporter(settings: TracesSettings, *, timeout_seconds: float | None = None) -> "OTLPSpanExporter":
    """What sends spans. What the settings leave open is read from the OTEL_ variables by the SDK."""
    # Only what is switched on is imported.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return OTLPSpanExporter(
        endpoint=collector_url(settings),
        headers=header_fields(settings.headers.reveal()) if settings.headers is not None else None,
        timeout=timeout_seconds,
    )


def ask_collector(settings: TracesSettings, *, timeout_seconds: float) -> str | None:
    """Sends the collector no spans; gives what is wrong, None if it takes them. Blocks, a little longer than that."""
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415 - as above

    trouble = LastTrouble()
    try:
        exporter = make_exporter(settings, timeout_seconds=timeout_seconds)
        ignored, trouble.text = trouble.text, ""  # such as a header in a variable that the SDK cannot read
        try:
            takes = exporter.export([]) is SpanExportResult.SUCCESS
        finally:
            exporter.shutdown()  # type: ignore[no-untyped-call]
    finally:
        trouble.forget()
    if takes:
        return None
    return "; ".join(text for text in (trouble.text or "it does not answer", ignored) if text)


def make_tracer(settings: TracesSettings, queue: QueueSettings, role: str) -> "OtelTracer":
    """The tracer of a process, with its thread. The settings were checked when they were read."""
    from worker.tracing.otel_tracer import OtelTracer  # noqa: PLC0415 - as above
    from worker.tracing.span_queue import SpanQueue  # noqa: PLC0415 - as above

    trouble = LastTrouble()  # already of what the exporter finds in the variables
    try:
        exporter = make_exporter(settings)
    except BaseException:
        trouble.forget()
        raise
    most_waiting = _number("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
    return OtelTracer(
        SpanQueue(
            exporter,
            trouble,
            most_waiting=most_waiting,
            most_at_once=min(most_waiting, _number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)),
            every_seconds=_number("OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        ),
        resource=resource_of(settings, role),
        version=version("bouncekeeper"),
        ratio=settings.ratio,
        messaging_system=_MESSAGING_SYSTEMS[queue.adapter],
        continues_from_proxies=settings.continue_from_proxies,
    )


def resource_of(settings: TracesSettings, role: str) -> "Resource":
    """What every span says of its process: the setting before the OTEL_ variables before our own words."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415 - as above

    own = Resource.create(
        {
            "service.name": f"bouncekeeper-{role}",
            "service.namespace": "bouncekeeper",
            "service.version": version("bouncekeeper"),
        }
    )
    resource = own.merge(OTELResourceDetector().detect())  # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
    return resource.merge(Resource({"service.name": settings.service_name})) if settings.service_name else resource


def _number(variable: str, default: int) -> int:
    """The value of one of the SDK's variables; what is no number above 0 is ignored, as by the SDK."""
    try:
        number = int(os.environ.get(variable, ""))
    except ValueError:
        return default
    return number if number > 0 else default

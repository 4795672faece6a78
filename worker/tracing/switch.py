"""Switches the traces of a process on and off, as the settings say."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from worker.settings.traces import header_fields, traces_url
from worker.settings.tree import QueueSettings, TracesSettings
from worker.tracing.tracer import use_tracer

if TYPE_CHECKING:
    from worker.tracing.otel_tracer import OtelTracer

# When a process ends, after its accepted work: less than the time that service managers leave it for that.
FLUSH_SECONDS = 3.0
_MESSAGING_SYSTEMS = {"rabbitmq": "rabbitmq", "postgres": "postgresql"}


@contextmanager
def tracing(settings: TracesSettings, queue: QueueSettings, role: str) -> Iterator[None]:
    """Traces are made inside the block if they are enabled; spans that wait at its end are sent, for FLUSH_SECONDS."""
    # The SDK's own switch for all that it does.
    if not settings.enabled or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield
        return
    tracer = make_tracer(settings, queue, role)
    use_tracer(tracer)
    try:
        yield
    finally:
        use_tracer(None)
        tracer.close(FLUSH_SECONDS)


def make_tracer(settings: TracesSettings, queue: QueueSettings, role: str) -> "OtelTracer":
    """The tracer of a process, with its thread. The settings were checked when they were read."""
    # Only what is switched on is imported.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415

    from worker.tracing.otel_tracer import OtelTracer  # noqa: PLC0415
    from worker.tracing.span_queue import SpanQueue  # noqa: PLC0415

    # What an argument leaves open is read from the OTEL_ variables by the SDK.
    exporter = OTLPSpanExporter(
        endpoint=traces_url(settings.endpoint) if settings.endpoint else None,
        headers=header_fields(settings.headers.reveal()) if settings.headers is not None else None,
    )
    most_waiting = _number("OTEL_BSP_MAX_QUEUE_SIZE", 2048)
    own = Resource.create(
        {
            "service.name": f"bouncekeeper-{role}",
            "service.namespace": "bouncekeeper",
            "service.version": version("bouncekeeper"),
        }
    )
    resource = own.merge(OTELResourceDetector().detect())  # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
    if settings.service_name:
        resource = resource.merge(Resource({"service.name": settings.service_name}))
    return OtelTracer(
        SpanQueue(
            exporter,
            most_waiting=most_waiting,
            most_at_once=min(most_waiting, _number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)),
            every_seconds=_number("OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        ),
        resource=resource,
        version=version("bouncekeeper"),
        ratio=settings.ratio,
        messaging_system=_MESSAGING_SYSTEMS[queue.adapter],
        continues_from_proxies=settings.continue_from_proxies,
    )


def _number(variable: str, default: int) -> int:
    """The value of one of the SDK's variables; what is no number above 0 is ignored, as by the SDK."""
    try:
        number = int(os.environ.get(variable, ""))
    except ValueError:
        return default
    return number if number > 0 else default

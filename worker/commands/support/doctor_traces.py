"""What `doctor` says of traces."""

import asyncio

from worker.commands.support.finding import Finding, note, well, wrong
from worker.settings.tree import TracesSettings
from worker.tracing.switch import ask_collector, collector_origin, sdk_is_disabled

_TIMEOUT_SECONDS = 3.0


async def look_at_traces(settings: TracesSettings) -> list[Finding]:
    """Whether the collector takes spans; nothing if traces are off. Sends it an empty request."""
    if not settings.enabled:
        return []
    if sdk_is_disabled():
        detail = "traces.enabled is true, but OTEL_SDK_DISABLED is set here, which switches traces off"
        return [note("traces", detail, "remove the variable where the processes run, or set traces.enabled to false")]
    origin = collector_origin(settings)
    trouble = await asyncio.to_thread(ask_collector, settings, timeout_seconds=_TIMEOUT_SECONDS)
    if trouble is None:
        return [
            well("traces", f"the collector at {origin} takes spans; {settings.ratio:.4g} of all webhooks are traced")
        ]
    remedy = (
        "start it, or correct traces.endpoint (OTLP over HTTP, usually port 4318: 4317 is gRPC) and traces.headers;"
        " until then spans are lost, and nothing else"
    )
    return [wrong("traces", f"the collector at {origin} takes no spans: {trouble}", remedy)]

"""Finished spans on their way to the collector. Whatever happens to it, nothing here waits but a thread.

The SDK's own queue drops spans without a count, and waits for as long as it likes when the process ends.
"""

import threading
import time
from collections import deque
from contextlib import suppress

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from worker.process import metrics
from worker.process.logs import Reminder, get_logger
from worker.tracing.last_trouble import LastTrouble

_log = get_logger()

QUEUE_FULL, NOT_TAKEN, STOPPED = "queue_full", "not_taken", "stopped"


class SpanQueue(SpanProcessor):
    """Sends spans from a thread of its own, many at a time. Drops those that find it full, and counts them."""

    def __init__(
        self,
        exporter: SpanExporter,
        trouble: LastTrouble,
        *,
        most_waiting: int,
        most_at_once: int,
        every_seconds: float,
    ) -> None:
        """`trouble` hears the exporter since before it was made, and until its last word."""
        self._exporter = exporter
        self._most_waiting = most_waiting
        self._most_at_once = most_at_once
        self._every_seconds = every_seconds
        self._waiting: deque[ReadableSpan] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._dropped = dict.fromkeys((QUEUE_FULL, NOT_TAKEN, STOPPED), 0)  # since the last line
        self._counting = threading.Lock()  # of the process's own thread and the exporter's
        self._reminders = {reason: Reminder() for reason in self._dropped}
        self._trouble = trouble
        self._why_not_taken = ""
        self._thread = threading.Thread(target=self._run, name="span exporter", daemon=True)
        self._thread.start()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing waits yet."""

    def on_end(self, span: ReadableSpan) -> None:
        """The span waits for its turn, or is dropped."""
        if self._closing or len(self._waiting) >= self._most_waiting:
            self._drop(STOPPED if self._closing else QUEUE_FULL, 1)
            return
        self._waiting.append(span)
        if len(self._waiting) >= self._most_at_once:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Sends what waits, for so long at most, and drops the rest."""
        deadline = time.monotonic() + seconds
        self._closing = True
        self._wake.set()
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._exporter.shutdown()  # ends a pause between two attempts; a request under way ends with the process
            self._drop(STOPPED, len(self._waiting))
            self._waiting.clear()
        self._tell_of_dropped(at_once=True)

    def shutdown(self) -> None:
        """As the SDK's provider asks for it: at once."""
        self.close(0.0)

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002 - the SDK's signature
        """Wakes the thread."""
        self._wake.set()
        return True

    def _run(self) -> None:
        try:
            self._send_until_closed()
        finally:
            self._trouble.forget()

    def _send_until_closed(self) -> None:
        while not self._closing:
            self._wake.wait(self._every_seconds)
            self._wake.clear()
            self._send_waiting()
            self._tell_of_dropped()
        self._send_waiting()  # what has come since then
        self._exporter.shutdown()

    def _send_waiting(self) -> None:
        while self._waiting:
            self._send()

    def _send(self) -> None:
        spans: list[ReadableSpan] = []
        with suppress(IndexError):  # empty: `close` may take away what waits
            while len(spans) < self._most_at_once:
                spans.append(self._waiting.popleft())
        if not spans:
            return
        self._trouble.text = ""
        try:
            sent = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - the thread must go on, whatever the exporter's libraries raise
            self._trouble.note_error(error)
            sent = False
        if sent:
            metrics.SPANS.labels("sent").inc(len(spans))
        else:
            self._why_not_taken = self._trouble.text
            self._drop(NOT_TAKEN, len(spans))
            self._tell_of_dropped()

    def _drop(self, reason: str, count: int) -> None:
        with self._counting:
            self._dropped[reason] += count
        metrics.SPANS.labels(reason).inc(count)

    def _tell_of_dropped(self, *, at_once: bool = False) -> None:
        for reason, count in self._dropped.items():
            if count and (self._reminders[reason].due(reason) or at_once):
                with self._counting:
                    self._dropped[reason] -= count
                detail = self._why_not_taken if reason == NOT_TAKEN else ""
                _log.warning("spans.dropped", count=count, reason=reason, detail=detail)

"""Logging: structlog, one JSON line per thing that happened, every name declared in schemas/log_events.py."""

import asyncio
import atexit
import logging
import sys
import threading
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec
import structlog

from schemas.address import mask_address, mask_addresses
from schemas.log_event import COMMON_FIELDS
from schemas.log_events import LOG_EVENTS

_REMIND_SECONDS = 60.0

_options: dict[str, bool] = {"show_addresses": False, "strict": False}
_process_fields: dict[str, Any] = {}


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The program's logger: `get_logger().info("webhook.accepted", source="...")`.

    It looks the configuration up at each call, so that it may be made before logging is set up. Where lines
    are many, `get_logger().bind()` gives one that has it at hand.
    """
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())


def contact_field(address: str) -> str:
    """An address as it may stand in a log line: masked, unless the operator asked for it in clear."""
    return address if _options["show_addresses"] else mask_address(address)


def text_field(text: str) -> str:
    """Words that may quote an address, as they may stand in a log line: see contact_field."""
    return text if _options["show_addresses"] else mask_addresses(text)


def configure_logging(
    *,
    level: str = "info",
    json_lines: bool = True,
    show_addresses: bool = False,
    strict: bool = False,
    **bound: Any,
) -> None:
    """Sets logging up once per process; `bound` stands in every line.

    `strict` makes an undeclared name or field an error: the tests run so.
    """
    _options.update(show_addresses=show_addresses, strict=strict)
    _process_fields.clear()
    _process_fields.update(bound)
    processors: list[structlog.typing.Processor] = [_refuse_undeclared] if strict else []
    processors += [_add_common_fields, *(_json_renderers() if json_lines else _console_renderers())]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=LineWriter,
        cache_logger_on_first_use=False,
    )
    # Libraries speak through the standard library; only their warnings are an operator's business.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    # asyncpg's pool writes a traceback at each attempt while Postgres is away; whoever needs Postgres says so itself.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)


class Reminder:
    """Says whether a trouble that lasts is due to be logged: at first, when it is another one, and once a minute."""

    def __init__(self) -> None:
        self._trouble = ""
        self._next_at = 0.0

    def due(self, trouble: str) -> bool:
        """True when the line should be written now; the caller then writes it."""
        now = time.monotonic()
        if trouble == self._trouble and now < self._next_at:
            return False
        self._trouble = trouble
        self._next_at = now + _REMIND_SECONDS
        return True

    def over(self) -> None:
        """The trouble has ended: the next one is told at once."""
        self._trouble = ""


class LineWriter:
    """Writes lines to stderr, those of one turn of the event loop with a single system call.

    A receiver logs thousands of lines a second, and a system call for each would cost more than the line.
    Warnings and worse, and lines from outside an event loop, are written at once.
    """

    def __init__(self, *_names: Any) -> None:
        self._lines = _shared_lines

    def debug(self, line: str) -> None:
        """A line that may wait for the end of this turn of the event loop."""
        self._lines.add(line)

    info = msg = debug

    def warning(self, line: str) -> None:
        """A line that is written at once, with all before it."""
        self._lines.add(line, at_once=True)

    error = critical = exception = warning


class _SharedLines:
    """The lines of the whole process that are not written yet, so that their order is kept."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._flushed_by: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def add(self, line: str, *, at_once: bool = False) -> None:
        with self._lock:
            self._waiting.append(line)
            if not at_once:
                try:
                    loop = asyncio.get_running_loop()
                except RuntimeError:
                    pass  # a thread without a loop: nobody would come back to write it
                else:
                    # A loop that ended before it came to our call has left its lines to the next one.
                    if self._flushed_by is not loop:
                        self._flushed_by = loop
                        loop.call_soon(self.flush)
                    return
        self.flush()

    def flush(self) -> None:
        with self._lock:
            self._flushed_by = None
            if not self._waiting:
                return
            stream: TextIO = sys.stderr
            text = "\n".join(self._waiting)
            self._waiting.clear()
            stream.write(text + "\n")
            stream.flush()


_shared_lines = _SharedLines()
atexit.register(_shared_lines.flush)


def _refuse_undeclared(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    declared = LOG_EVENTS.get(event_dict["event"])
    if declared is None:
        raise AssertionError(f"log event {event_dict['event']!r} is not declared in schemas/log_events.py")
    if unknown := set(event_dict) - declared.fields - COMMON_FIELDS - {"exc_info"}:
        raise AssertionError(f"log event {event_dict['event']!r} has undeclared fields {sorted(unknown)}")
    return event_dict


def _add_common_fields(_logger: Any, method: str, event_dict: MutableMapping[str, Any]) -> dict[str, Any]:
    # The same four in front of every line, so that a screen full of them reads as columns.
    return {
        "timestamp": datetime.now(UTC),
        "level": "error" if method == "exception" else method,
        "event": event_dict.pop("event"),
        **_process_fields,
        **event_dict,
    }


def _json_renderers() -> list[structlog.typing.Processor]:
    encode = msgspec.json.Encoder(enc_hook=repr).encode

    def render(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> str:
        return encode(event_dict).decode()

    # Local variables may hold secrets and whole bodies: a traceback in a log never shows them.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), render]


def _console_renderers() -> list[structlog.typing.Processor]:
    def spell_values(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        # As JSON would spell them, without what has no value: `http_status=413`, and no `until=None`.
        spelt = {
            name: value if name == "exc_info" else msgspec.to_builtins(value, enc_hook=repr)
            for name, value in event_dict.items()
            if value is not None and value != ""
        }
        return {**spelt, "timestamp": event_dict["timestamp"].strftime("%H:%M:%S.%f")[:-3]}

    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [spell_values, console]

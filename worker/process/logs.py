"""Logging: structlog, one JSON line per event, every name declared in schemas/log_events.py."""

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
from schemas.log_field import COMMON_LOG_FIELDS, LOG_FIELDS

_REMIND_SECONDS = 60.0

_options: dict[str, bool] = {"show_addresses": False, "strict": False}
_process_fields: dict[str, Any] = {}


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The program's logger: `get_logger().info("webhook.accepted", source="...")`.

    It looks up the configuration at each call, so it may be created before logging is set up. For many lines,
    `get_logger().bind()` gives a logger that keeps the configuration.
    """
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())


def contact_field(address: str) -> str:
    """An address for a log line: masked, unless `logs.show_addresses` is set."""
    return address if _options["show_addresses"] else mask_address(address)


def text_field(text: str) -> str:
    """A text for a log line, its addresses masked unless `logs.show_addresses` is set."""
    return text if _options["show_addresses"] else mask_addresses(text)


def configure_logging(
    *,
    level: str = "info",
    json_lines: bool = True,
    show_addresses: bool = False,
    strict: bool = False,
    **bound: Any,
) -> None:
    """Sets up logging once per process; every line has the fields of `bound`.

    `strict` makes an undeclared name or field, or a value of another type, an error; the tests use it.
    """
    _options.update(show_addresses=show_addresses, strict=strict)
    _process_fields.clear()
    _process_fields.update(bound)
    processors: list[structlog.typing.Processor] = [refuse_undeclared] if strict else []
    processors += rendering(json_lines=json_lines)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=LineWriter,
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; only their warnings matter to an operator.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
    # asyncpg's pool logs a traceback at each attempt while Postgres is away; our own code logs that already.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)


def rendering(*, json_lines: bool = True) -> list[structlog.typing.Processor]:
    """The steps that make the text of a line."""
    return [_add_common_fields, *(_json_renderers() if json_lines else _console_renderers())]


class Reminder:
    """Decides when to log a lasting problem: at first, when it changes, and once a minute."""

    def __init__(self) -> None:
        self._trouble = ""
        self._next_at = 0.0

    def due(self, trouble: str) -> bool:
        """True if the caller must log the line now."""
        now = time.monotonic()
        if trouble == self._trouble and now < self._next_at:
            return False
        self._trouble = trouble
        self._next_at = now + _REMIND_SECONDS
        return True

    def over(self) -> None:
        """The problem has ended: the next one is logged at once."""
        self._trouble = ""


class LineWriter:
    """Writes lines to stderr, all lines of one turn of the event loop with a single system call.

    A receiver logs thousands of lines a second, and a system call for each would cost more than the line.
    Warnings and errors, and lines from outside an event loop, are written at once.
    """

    def __init__(self, *_names: Any) -> None:
        self._lines = _shared_lines

    def debug(self, line: str) -> None:
        """Writes the line at the end of this turn of the event loop."""
        self._lines.add(line)

    info = msg = debug

    def warning(self, line: str) -> None:
        """Writes the line at once, after all earlier lines."""
        self._lines.add(line, at_once=True)

    error = critical = exception = warning


class _SharedLines:
    """The unwritten lines of the whole process, in order."""

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
                    pass  # a thread without a loop: nothing would flush the line later
                else:
                    # If a loop ended before its flush, the next loop writes its lines.
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


def refuse_undeclared(_logger: Any, _method: str, event_dict: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: raises AssertionError for a line that is not as schemas/log_events.py declares it."""
    declared = LOG_EVENTS.get(event_dict["event"])
    if declared is None:
        raise AssertionError(f"log event {event_dict['event']!r} is not declared in schemas/log_events.py")
    if unknown := set(event_dict) - declared.fields - COMMON_FIELDS - {"exc_info"}:
        raise AssertionError(f"log event {event_dict['event']!r} has undeclared fields {sorted(unknown)}")
    for name, value in event_dict.items():
        field = LOG_FIELDS.get(name) or COMMON_LOG_FIELDS.get(name)
        if field is not None and not field.allows(msgspec.to_builtins(value, enc_hook=repr)):
            raise AssertionError(
                f"{name}={value!r} of log event {event_dict['event']!r} is not {field.type!r}, as schemas/log_field.py "
                "declares it"
            )
    return event_dict


def _add_common_fields(_logger: Any, method: str, event_dict: MutableMapping[str, Any]) -> dict[str, Any]:
    # The same fields come first in every line, so that many lines read as columns.
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
        # As in JSON, without empty fields: `http_status=413`, but not `until=None`.
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

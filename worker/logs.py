"""Logging: structlog, one JSON line per thing that happened, every name declared in schemas/log_events.py."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, cast

import structlog

from schemas.address import mask_address
from schemas.log_events import COMMON_FIELDS, LOG_EVENTS

_options: dict[str, bool] = {"show_addresses": False, "strict": False}


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The program's logger: `get_logger().info("webhook.accepted", source="...")`."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger())


def contact_field(address: str) -> str:
    """An address as it may stand in a log line: masked, unless the operator asked for it in clear."""
    return address if _options["show_addresses"] else mask_address(address)


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
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _refuse_undeclared,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks if json_lines else structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(**bound)
    # Libraries speak through the standard library; only their warnings are an operator's business.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")


def _refuse_undeclared(
    _logger: Any, _method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if _options["strict"]:
        declared = LOG_EVENTS.get(event_dict["event"])
        if declared is None:
            raise AssertionError(
                f"log event {event_dict['event']!r} is not declared in schemas/log_events.py"
            )
        if unknown := set(event_dict) - declared.fields - COMMON_FIELDS - {"exc_info"}:
            raise AssertionError(f"log event {event_dict['event']!r} has undeclared fields {sorted(unknown)}")
    return event_dict

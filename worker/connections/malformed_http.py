"""Malformed HTTP: aiohttp answers 400 and would log a traceback for each scanner. Here it is only counted."""

import logging
from collections.abc import Callable

from aiohttp.http_exceptions import HttpProcessingError


class _Counted(logging.Filter):
    def __init__(self, count: Callable[[str], None]) -> None:
        super().__init__()
        self._count = count

    def filter(self, record: logging.LogRecord) -> bool:
        """Passes aiohttp's warnings; counts malformed HTTP, which aiohttp may log at a lower level, and drops it."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if not isinstance(error, HttpProcessingError):
            return record.levelno >= logging.WARNING
        address = record.args[0] if isinstance(record.args, tuple) and record.args else ""
        self._count(str(address or ""))
        return False


def server_logger(count: Callable[[str], None]) -> logging.Logger:
    """A logger for aiohttp's server, which calls `count` with the address of a sender of malformed HTTP."""
    logger = logging.Logger("aiohttp.server", level=logging.DEBUG)  # noqa: LOG001 - each port has one of its own
    logger.parent = logging.getLogger("aiohttp.server")
    logger.addFilter(_Counted(count))
    return logger

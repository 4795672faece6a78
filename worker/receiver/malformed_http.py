"""What is no HTTP at all: aiohttp answers it with 400 and would log a traceback for each scanner that knocks."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

from worker import metrics
from worker.logs import get_logger

log = get_logger()


class _OneLineEach(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Lets through what aiohttp says about anything but malformed HTTP; that becomes one line of ours."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if not isinstance(error, HttpProcessingError):
            return True
        metrics.WEBHOOKS.labels("", "refused", "malformed_http").inc()
        log.warning(
            "webhook.refused",
            reason="malformed_http",
            detail=f"what came is no HTTP ({type(error).__name__}): mostly a scanner, else a broken proxy",
            http_status=error.code,
        )
        return False


def server_logger() -> logging.Logger:
    """The logger for aiohttp's server."""
    logger = logging.getLogger("aiohttp.server.receiver")
    if not logger.filters:
        logger.addFilter(_OneLineEach())
    return logger

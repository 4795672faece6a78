"""What the exporter's libraries complain of."""

import logging

from worker.tracing.error_words import error_words, log_words

_LOGGERS = ("opentelemetry", "requests", "urllib3")  # nothing else of ours uses the last two
_MOST_CHARACTERS = 300


class LastTrouble(logging.Handler):
    """What the SDK's libraries last complained of, in place of their own lines on stderr.

    It holds no header, and nothing of the collector's URL: their lines may show both.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.addHandler(self)
            logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps what may be shown of it."""
        text = log_words(str(record.msg), record.args) or f"a warning of {record.name}"
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text = f"{text}: {error_words(error)}"
        # The last attempt's line says less than those of the attempts before it.
        if not (self.text and "max retries or shutdown" in text):
            self.text = text[:_MOST_CHARACTERS]

    def note_error(self, error: BaseException) -> None:
        """Keeps what may be shown of an error that the exporter has raised."""
        self.text = error_words(error)

    def forget(self) -> None:
        """Hears nothing any more."""
        for name in _LOGGERS:
            logger = logging.getLogger(name)
            logger.removeHandler(self)
            logger.propagate = not any(isinstance(handler, LastTrouble) for handler in logger.handlers)

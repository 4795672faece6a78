"""What the exporter's libraries complain of."""

import logging


class LastTrouble(logging.Handler):
    """What the SDK's libraries last complained of, in place of their own lines on stderr.

    Nothing of a header is in it.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.text = ""
        self._logger = logging.getLogger("opentelemetry")
        self._logger.addHandler(self)
        self._logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the text."""
        message = record.getMessage()[:300]
        # The last attempt's line says less than those of the attempts before it.
        if not (self.text and "max retries or shutdown" in message):
            self.text = message

    def forget(self) -> None:
        """Hears nothing any more."""
        self._logger.removeHandler(self)
        self._logger.propagate = True

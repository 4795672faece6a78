"""The log lines of a block, for a test that reads them. As everywhere in tests, each has to be as it is declared."""

from contextlib import AbstractContextManager

import structlog.testing
from structlog.typing import EventDict

from tests.docs.log_examples import keep_captured
from worker.process.logs import refuse_undeclared


def capture_logs() -> AbstractContextManager[list[EventDict]]:
    """The lines that are logged inside the block, as a list that grows."""
    return structlog.testing.capture_logs(processors=[refuse_undeclared, keep_captured])

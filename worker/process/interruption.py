"""SIGINT and SIGTERM while there is nothing to finish: print one line and end at once with exit status 130.

The program does this first, so it imports little.
"""

import os
import signal
import time
from contextlib import suppress
from typing import NoReturn

EXIT_STATUS = 130  # as a shell reports a process that Ctrl-C ended
MESSAGE = b"bouncekeeper: interrupted"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDERR = 2
_MAKE_ANSWERS_WITHIN_SECONDS = 0.8


def end_at_once_when_asked() -> None:
    """From now on either signal ends the process, even one that was sent earlier and held back."""
    for number in SIGNALS:
        signal.signal(number, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def end_interrupted() -> NoReturn:
    """Prints `interrupted` and ends the process, whatever its threads still do."""
    # A terminal has written ^C at the beginning of the line.
    begin = b"\n" if os.isatty(_STDERR) else b""
    with suppress(OSError):
        os.write(_STDERR, begin + MESSAGE + b"\n")
    if "MAKELEVEL" in os.environ:
        # The signal reaches make too. If we are gone before make answers it, make stumbles over its own bookkeeping:
        # "wait: No child processes", and exit status 2.
        time.sleep(_MAKE_ANSWERS_WITHIN_SECONDS)
    os._exit(EXIT_STATUS)


def _end(_number: int, _frame: object) -> NoReturn:
    end_interrupted()

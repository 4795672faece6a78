"""Where a command writes many rows: standard output, or a file that is there whole or not at all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from worker.errors import ImpossibleSetting


@contextmanager
def opened_output(name: str | None) -> Iterator[IO[str]]:
    """Standard output for None. A file appears under its name when the block ends without an error.

    Half of a list of who may be mailed looks like a whole one. Raises ImpossibleSetting if it cannot be written.
    """
    if name is None:
        yield sys.stdout
        return
    path = Path(name)
    try:
        if path.exists() and not path.is_file():  # a device or a pipe
            with path.open("w", encoding="utf-8") as file:
                yield file
            return
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as fresh:
            try:
                yield fresh.file
                fresh.flush()
                os.fsync(fresh.fileno())
                Path(fresh.name).replace(path)
            except BaseException:
                Path(fresh.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ImpossibleSetting(f"{name} cannot be written: {error.strerror}") from error

"""Where the services of tests keep their files: in memory where there is room, because tests make many databases.

On a disk most of the time of `CREATE DATABASE` goes into making some three hundred files.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - each service has a folder of its own in it
_NEEDED_BYTES: Final = 2 * 1024**3  # of all processes of tests; containers often have no more than 64 MiB


@contextmanager
def service_folder(prefix: str) -> Iterator[Path]:
    """An empty folder inside the block; gone afterwards."""
    with TemporaryDirectory(prefix=prefix, dir=place(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def place(memory: Path = MEMORY, *, needed_bytes: int = _NEEDED_BYTES) -> Path | None:
    """The file system in memory, or None for the usual place of temporary files."""
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        return None
    return memory if shutil.disk_usage(memory).free >= needed_bytes else None

"""The lines of a log as they are written: of a file, through its rotation, or of standard input."""

import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from worker.errors import ImpossibleSetting

_CHUNK_BYTES = 256 * 1024
_LONGEST_LINE_BYTES = 1024 * 1024


class Lines:
    """Cuts pieces of a stream into lines. None stands for a line over 1 MiB, of which nothing is kept."""

    def __init__(self) -> None:
        self._open = b""
        self._is_too_long = False

    def cut(self, piece: bytes) -> Iterator[bytes | None]:
        """The lines that end within this piece."""
        *ended, rest = piece.split(b"\n")
        for part in ended:
            line, self._open = self._open + part, b""
            yield None if self._is_too_long or len(line) > _LONGEST_LINE_BYTES else line
            self._is_too_long = False
        self._open += rest
        if len(self._open) > _LONGEST_LINE_BYTES:
            self._open, self._is_too_long = b"", True

    def forget(self) -> None:
        """What was begun is not gone on with: another file follows."""
        self._open, self._is_too_long = b"", False


class FileTail:
    """Follows a file by its name, from its last 256 KiB on; a new file of that name, or a shorter one, as a whole."""

    has_ended = False

    def __init__(self, path: Path) -> None:
        """Raises ImpossibleSetting if there is no such file."""
        self._path = path
        self._lines = Lines()
        try:
            self._file: IO[bytes] = path.open("rb")
            size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise ImpossibleSetting(f"{path} cannot be read: {error.strerror}. Name the file of the log") from error
        if size > _CHUNK_BYTES:
            self._file.seek(size - _CHUNK_BYTES)
            self._file.readline()

    def lines(self) -> Iterator[bytes | None]:
        """Those that have come since the last call, at most about 256 KiB of them."""
        piece = self._file.read(_CHUNK_BYTES)
        if not piece and self._is_replaced():
            piece = self._file.read(_CHUNK_BYTES)
        yield from self._lines.cut(piece)

    def wait(self, seconds: float) -> None:
        """Returns after that time: a file does not say when it grows."""
        select.select([], [], [], seconds)

    def close(self) -> None:
        """The file is not read any more."""
        self._file.close()

    def _is_replaced(self) -> bool:
        """True if another file has the name now, or ours was emptied; it is read from its beginning then."""
        here = os.fstat(self._file.fileno())
        try:
            there = self._path.stat()
            if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
                fresh = self._path.open("rb")
                self._file.close()
                self._file = fresh
            elif there.st_size < self._file.tell():
                self._file.seek(0)
            else:
                return False
        except OSError:
            return False  # the new one is not there yet
        self._lines.forget()
        return True


class StreamTail:
    """Follows a stream, such as standard input, to its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines = Lines()
        self.has_ended = False

    def lines(self) -> Iterator[bytes | None]:
        """Those that are there now, at most about 256 KiB of them; none if none is."""
        if self.has_ended or not select.select([self._descriptor], [], [], 0)[0]:
            return
        piece = os.read(self._descriptor, _CHUNK_BYTES)
        self.has_ended = not piece
        yield from self._lines.cut(piece or b"\n")

    def wait(self, seconds: float) -> None:
        """Returns when there is something to read, or after that time."""
        select.select([self._descriptor], [], [], seconds)

    def close(self) -> None:
        """The stream is whoever's it was."""

"""Recipients of a file or of standard input, row by row: files of millions take no more memory than small ones."""

import csv
import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel
from worker.commands.support.named_addresses import holds_no_address
from worker.errors import ImpossibleSetting

STANDARD_INPUT = "-"
_MOST_CHARACTERS = 64 * 1024  # of a line; a longer one is cut into several, none of which is an address
_SUFFIXES = {".csv", ".tsv", ".txt"}
_DELIMITERS = ",;\t|"
# What columns of addresses are called, in files of the systems that we know.
_NAMES = {
    Channel.EMAIL: ("email", "e-mail", "email_address", "email address", "e-mail address", "address", "mail"),
    Channel.SMS: ("phone", "phone_number", "phone number", "mobile", "msisdn", "number", "sms"),
}


class RecipientTable:
    """The rows of a text with one address a line, or of CSV with a column of addresses.

    CSV is known by its header, or by an address between delimiters in the first row. Empty lines are passed over.
    Raises WrongUsage for a file without a row, ImpossibleSetting for one in which no column of addresses is found, and
    while it is read for rows that are not CSV.
    """

    def __init__(self, stream: BinaryIO, *, name: str, channel: Channel, column: str | None = None) -> None:
        self.columns: tuple[str, ...] = ()  # the names in the header, in lower case; () without one
        self.name = name
        self._stream = stream
        # Kept for as long as the table: it closes the stream when it goes. Bytes that are not UTF-8 become signs that
        # no address has.
        self._text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        self._lines = iter(lambda: self._text.readline(_MOST_CHARACTERS), "")
        self._place = 0
        rows = self._whole_rows(self._open(channel, column))
        first = next(rows, None)
        if first is None:
            raise holds_no_address(name)
        self._rows = chain([first], rows)

    def __iter__(self) -> Iterator[tuple[str, list[str]]]:
        """Each row as the text in the column of addresses, and all of its cells."""
        place = self._place
        for row in self._rows:
            yield (row[place].strip() if place < len(row) else ""), row

    def _whole_rows(self, rows: Iterator[list[str]]) -> Iterator[list[str]]:
        try:
            yield from filter(None, rows)
        except csv.Error as error:
            raise ImpossibleSetting(f"{self.name} is not CSV: {error}") from error

    @property
    def bytes_read(self) -> int:
        """How far the file has been read; 0 for standard input."""
        return self._stream.tell() if self.total_bytes else 0

    @property
    def total_bytes(self) -> int | None:
        """The size of the file; None if nobody knows how much comes."""
        status = os.fstat(self._stream.fileno())
        return status.st_size if stat.S_ISREG(status.st_mode) and self._stream.seekable() else None

    def _open(self, channel: Channel, column: str | None) -> Iterator[list[str]]:
        first = next((line for line in self._lines if line.strip()), "")
        delimiter = max(_DELIMITERS, key=first.count)
        cells = _cells(first, delimiter)
        names = tuple(cell.strip().casefold() for cell in cells)
        if column is not None:
            if column.casefold() not in names:
                raise ImpossibleSetting(f"{self.name} has no column {column!r}; it has {', '.join(names)}")
            return self._csv(first, delimiter, names, names.index(column.casefold()))
        if known := [name for name in _NAMES[channel] if name in names]:
            return self._csv(first, delimiter, names, names.index(known[0]))
        if delimiter not in first or ("<" in first and normalise_recipient(first, channel) is not None):
            return ([line.strip()] for line in chain([first], self._lines) if line.strip())
        places = [place for place, cell in enumerate(cells) if normalise_recipient(cell, channel) is not None]
        if not places:
            raise ImpossibleSetting(f"{self.name} has no column of addresses that we know: name it with --column")
        return self._csv(first, delimiter, (), places[0])

    def _csv(self, first: str, delimiter: str, names: Sequence[str], place: int) -> Iterator[list[str]]:
        self.columns = tuple(names)
        self._place = place
        rows = csv.reader(chain([first], self._lines), delimiter=delimiter)
        if names:
            next(rows)
        return rows


@contextmanager
def opened_table(name: str, *, channel: Channel, column: str | None = None) -> Iterator[RecipientTable]:
    """The table of a file, or of standard input for `-`. Raises WrongUsage and ImpossibleSetting."""
    if name == STANDARD_INPUT:
        yield RecipientTable(sys.stdin.buffer, name="standard input", channel=channel, column=column)
        return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(Path(name).open("rb"))
        except OSError as error:
            raise ImpossibleSetting(f"{name} cannot be read: {error.strerror}") from error
        yield RecipientTable(stream, name=name, channel=channel, column=column)


def is_file(word: str, channel: Channel) -> bool:
    """True if a word names a file: one that is an address is meant as such, even if a file has its name."""
    if word == STANDARD_INPUT:
        return True
    if normalise_recipient(word, channel) is not None:
        return False
    path = Path(word)
    return path.suffix.lower() in _SUFFIXES or "/" in word or path.is_file()


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return [line]

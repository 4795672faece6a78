"""The output of commands: JSON for scripts, tables and colours for people."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

REACHED = {"email": "mailed", "sms": "texted"}  # the verb for a message on each channel

_LONGEST_WORD = 44  # longer words, mostly URLs, may be broken


@cache
def console() -> "Console":
    """Standard output, with colours if it is a terminal."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and not needed with --json

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """The value as one JSON document, indented for a person on a terminal."""
    encoded = msgspec.json.encode(value, enc_hook=_encode, order="deterministic")
    print((msgspec.json.format(encoded, indent=2) if sys.stdout.isatty() else encoded).decode())  # noqa: T201 - the output


def print_line(text: str = "", *, style: str | None = None) -> None:
    """Prints one line without interpreting markup."""
    console().print(text, style=style, markup=False)


def print_to_copy(text: str) -> None:
    """One line that a reader copies: the terminal may wrap it, but it holds no line break of ours."""
    console().print(text, markup=False, soft_wrap=True)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Prints a table on a terminal, or a paragraph per row if it is too narrow; tab-separated lines elsewhere."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(headings), *cells]:
            print("\t".join(row))  # noqa: T201 - the output
        return
    widths = _column_widths(list(zip(headings, *cells, strict=True)), console().width)
    if not widths:
        _print_paragraphs(headings, cells)
        return
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - slow to import, and not needed with --json
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading, width in zip(headings, widths, strict=True):
        table.add_column(heading, width=width, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def _column_widths(columns: Sequence[Sequence[str]], available: int) -> list[int]:
    """The width of each column such that no word is broken; [] if that is impossible."""
    from rich.cells import cell_len  # noqa: PLC0415 - slow to import, and not needed with --json

    widths = [max(map(cell_len, column)) for column in columns]
    least = [
        max(min(cell_len(word), _LONGEST_WORD) for cell in column for word in [*cell.split(), ""]) for column in columns
    ]
    while sum(widths) + 2 * len(widths) > available:
        shrinkable = [position for position, width in enumerate(widths) if width > least[position]]
        if not shrinkable:
            return []
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return widths


def _print_paragraphs(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    width = max(map(len, headings))
    for row in rows:
        print_line(row[0], style="bold")
        for heading, cell in zip(headings[1:], row[1:], strict=True):
            if cell:
                print_line(f"  {heading:<{width}}  {cell}")


def moment(when: datetime | None) -> str:
    """A time for people: UTC, to the minute."""
    return "" if when is None else when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _cell(cell: object) -> str:
    if cell is None:
        return ""
    return moment(cell) if isinstance(cell, datetime) else str(cell)


def _encode(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)

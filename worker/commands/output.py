"""What commands show: JSON for scripts, tables and colours for people."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> "Console":
    """The terminal, or whatever standard output is; colours only on the first."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and not needed with --json

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """The value as one JSON document, indented for a person on a terminal."""
    encoded = msgspec.json.encode(value, enc_hook=_encode, order="deterministic")
    print((msgspec.json.format(encoded, indent=2) if sys.stdout.isatty() else encoded).decode())  # noqa: T201 - the output


def print_line(text: str = "", *, style: str | None = None) -> None:
    """One line, exactly as it is: no markup is read out of it."""
    console().print(text, style=style, markup=False)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in [headings, *rows]:
            print("\t".join(_cell(cell) for cell in row))  # noqa: T201 - the output
        return
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - slow to import, and not needed with --json
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*headings, title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_cell(cell)) for cell in row))
    console().print(table)


def moment(when: datetime | None) -> str:
    """A time for people: UTC, to the minute."""
    return "" if when is None else when.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _cell(cell: object) -> str:
    if cell is None:
        return ""
    return moment(cell) if isinstance(cell, datetime) else str(cell)


def _encode(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else str(value)

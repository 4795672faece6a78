"""The board on a terminal, and as one line."""

import re
from collections.abc import Sequence
from datetime import datetime

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.commands.support.board import Board

_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_MOST_SOURCES = 8
_MOST_TROUBLES = 4
_STYLES = {"error": "bold red", "critical": "bold red", "warning": "yellow"}


def board_line(board: Board) -> str:
    """`12:00:00 in 3.2/s, queue age 0.4 s, changed 12 (blocklisted 9, soft 3), trouble: none`."""
    changed = ", ".join(f"{name} {count}" for name, count in board.statuses)
    total = sum(count for _, count in board.statuses)
    trouble = ", ".join(
        f"{one.event}{f' ({one.reason})' if one.reason else ''} x{one.count}" for one in board.troubles[:_MOST_TROUBLES]
    )
    quiet = "not shown" if board.not_shown and board.processors is None else "none"
    return (
        f"{board.at:%H:%M:%S} in {_rate(board)}/s, queue age {_age(board)}, {_processes(board, ', ')}"
        f"changed {total}{f' ({changed})' if changed else ''}, trouble: {trouble or quiet}"
        f"{f', lines that are no JSON: {board.unreadable}' if board.unreadable else ''}"
    )


def drawn_board(board: Board, *, heading: str) -> RenderableType:
    """As tables, beside each other where there is room."""
    top = Text.assemble(
        (_rate(board), "bold"),
        " webhooks/s in the last minute   queue age ",
        (_age(board), "bold"),
        f"   {board.at:%H:%M:%S} UTC",
        f"\n{processes}" if (processes := _processes(board, "")) else "",
    )
    sources = _table("last webhook of each source", ("source", "ago", "in 10 min"))
    for source in board.sources[:_MOST_SOURCES]:
        sources.add_row(Text(source.source), _ago(source.last_at, board.at), str(source.webhooks))
    changes = _table("latest changes", ("at", "contact", "status", "cause"))
    for change in board.changes:
        status = f"{change.old_status} → {change.new_status}"
        changes.add_row(f"{change.at:%H:%M:%S}", Text(change.contact), Text(status), Text(change.cause))
    counts = [
        _counts("new statuses", board.statuses),
        _counts("causes", board.causes),
        _counts("providers", board.providers),
    ]
    return Group(
        Text(heading, style="bold"),
        top,
        Text(),
        _troubles(board),
        Text(),
        Columns([sources, *counts], padding=(1, 3)),
        Text(),
        changes,
        Text(_footer(board), style="dim"),
    )


def _footer(board: Board) -> str:
    counts = "counts are of the last 10 minutes; Ctrl-C ends it"
    if not board.not_shown:
        unread = f', {board.unreadable} of them no JSON (logs.format = "json" makes it)' if board.unreadable else ""
        return f"{board.lines} lines read{unread}; {counts}"
    return f"Webhooks are counted since this board began, other {counts}.\nNot shown: {'; '.join(board.not_shown)}"


def _troubles(board: Board) -> RenderableType:
    if not board.troubles:
        if not board.not_shown:
            return Text("Nothing is wrong: no warning and no error in the last 10 minutes.", style="green")
        if board.processors is None:
            return Text("Whether the processes are well is shown to a token of all accounts.", style="dim")
        return Text("Nothing is wrong, as far as the database tells.", style="green")
    parts = [Text("what is wrong now", style="bold")]
    for one in board.troubles[:_MOST_TROUBLES]:
        reason = f" ({one.reason})" if one.reason else ""
        parts.append(
            Text.assemble(
                (f"{one.event}{reason}", _STYLES.get(one.level, "")),
                f" {_times(one.count)}, last {_ago(one.last_at, board.at)} ago. {_plain(one.remedy or one.says)}",
            )
        )
    if (more := len(board.troubles) - _MOST_TROUBLES) > 0:
        parts.append(Text(f"and {more} more", style="dim"))
    return Group(*parts)


def _counts(title: str, counts: Sequence[tuple[str, int]]) -> Table:
    table = _table(title, ("", "in 10 min"))
    for name, count in counts:
        table.add_row(Text(name), str(count))
    return table


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in {"ago", "in 10 min"} else "left", header_style="dim")
    return table


def _rate(board: Board) -> str:
    return "?" if board.webhooks_per_second is None else f"{board.webhooks_per_second:.1f}"


def _processes(board: Board, end: str) -> str:
    """What a log does not tell, with `end` behind it; nothing if it is not known."""
    known = []
    if board.processors is not None:
        known.append(f"{board.processors} processor{'s' * (board.processors != 1)}")
    if board.waiting_parcels is not None:
        known.append(f"{board.waiting_parcels:,} parcels wait")
    elif board.processors:
        known.append("how many parcels wait is unknown")
    return f"{', '.join(known)}{end}" if known else ""


def _plain(text: str) -> str:
    """A link of a page of the docs is its words alone on a terminal."""
    return _LINK.sub(r"\1", text)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _age(board: Board) -> str:
    return "unknown" if board.queue_age_seconds is None else f"{board.queue_age_seconds:.1f} s"


def _ago(then: datetime, now: datetime) -> str:
    seconds = max(int((now - then).total_seconds()), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

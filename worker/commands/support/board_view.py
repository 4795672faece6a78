"""The board on a terminal, and as one line."""

from collections.abc import Sequence
from datetime import datetime

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.commands.support.live_board import Board

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
    return (
        f"{board.at:%H:%M:%S} in {board.webhooks_per_second:.1f}/s, queue age {_age(board)}, "
        f"changed {total}{f' ({changed})' if changed else ''}, trouble: {trouble or 'none'}"
        f"{f', lines that are no JSON: {board.unreadable}' if board.unreadable else ''}"
    )


def drawn_board(board: Board, *, heading: str) -> RenderableType:
    """As tables, beside each other where there is room."""
    unread = f', {board.unreadable} of them no JSON (logs.format = "json" makes it)' if board.unreadable else ""
    top = Text.assemble(
        (f"{board.webhooks_per_second:.1f}", "bold"),
        " webhooks/s in the last minute   queue age ",
        (_age(board), "bold"),
        f"   {board.at:%H:%M:%S} UTC",
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
        Text(f"{board.lines} lines read{unread}; counts are of the last 10 minutes; Ctrl-C ends it", style="dim"),
    )


def _troubles(board: Board) -> RenderableType:
    if not board.troubles:
        return Text("Nothing is wrong: no warning and no error in the last 10 minutes.", style="green")
    parts = [Text("what is wrong now", style="bold")]
    for one in board.troubles[:_MOST_TROUBLES]:
        reason = f" ({one.reason})" if one.reason else ""
        parts.append(
            Text.assemble(
                (f"{one.event}{reason}", _STYLES.get(one.level, "")),
                f" {_times(one.count)}, last {_ago(one.last_at, board.at)} ago. {one.remedy or one.says}",
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

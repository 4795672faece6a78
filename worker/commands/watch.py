"""`watch`: a live board in the terminal, made from the log's lines."""

import signal
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import console
from worker.commands.support.setting_flags import add_shared_flags, seconds_argument
from worker.process.interruption import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.commands.support.live_board import Board, LiveBoard
    from worker.commands.support.log_tail import FileTail, StreamTail

_EVERY_SECONDS = 2.0
_LOOK_SECONDS = 0.2


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Shows what the processes do, as their log tells it: webhooks a second, the age of the queue, the last webhook of each
source, statuses changing with their causes and providers, and what is wrong now with its remedy. Addresses are masked
even if the log shows them. On a terminal it is a board that Ctrl-C ends; elsewhere one line each time, or with --json
one line of JSON.

examples:
  bouncekeeper watch --log /var/log/bouncekeeper.log      follows the file, also when it is rotated
  docker compose logs --follow --no-log-prefix receiver processor 2>&1 | bouncekeeper watch --log -
  bouncekeeper up --logs-format json 2>&1 | bouncekeeper watch --log - --json
"""
    parser.add_argument(
        "--log", required=True, metavar="FILE", help="the log's JSON lines; - reads them from standard input"
    )
    parser.add_argument(
        "--every",
        type=seconds_argument,
        default=_EVERY_SECONDS,
        metavar="SECONDS",
        help="how often it is shown anew (default %(default)g)",
    )
    add_shared_flags(parser)


def _run(arguments: Namespace) -> int:
    from worker.commands.support.log_tail import FileTail, StreamTail  # noqa: PLC0415 - costs time that --help has not

    tail = StreamTail(sys.stdin.fileno()) if arguments.log == "-" else FileTail(Path(arguments.log))
    with closing(tail):
        return _watch(tail, arguments)


def _watch(tail: "FileTail | StreamTail", arguments: Namespace) -> int:
    from worker.commands.support.live_board import LiveBoard  # noqa: PLC0415 - these cost time that --help has not

    stop = Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    board = LiveBoard()
    if arguments.json or not sys.stdout.isatty():
        _follow(tail, board, stop, every_seconds=arguments.every, show=_print_json if arguments.json else _print_line)
        return ExitCode.OK
    from rich.live import Live  # noqa: PLC0415 - slow to import, and for terminals alone

    from worker.commands.support.board_view import drawn_board  # noqa: PLC0415

    heading = "bouncekeeper watch" if arguments.log == "-" else f"bouncekeeper watch {arguments.log}"
    with Live(console=console(), screen=True, auto_refresh=False) as live:
        _follow(
            tail,
            board,
            stop,
            every_seconds=arguments.every,
            show=lambda seen: live.update(drawn_board(seen, heading=heading), refresh=True),
        )
    return ExitCode.OK


def _follow(
    tail: "FileTail | StreamTail",
    board: "LiveBoard",
    stop: Event,
    *,
    every_seconds: float,
    show: "Callable[[Board], None]",
) -> None:
    """Until `stop` or the end of the stream, after which the board is shown once more."""
    next_at = monotonic() + _LOOK_SECONDS
    while not stop.is_set() and not tail.has_ended:
        found = False
        for line in tail.lines():
            found = True
            if line is None:
                board.skip()
            else:
                board.read(line, now=datetime.now(UTC))
        if monotonic() >= next_at:
            show(board.board(datetime.now(UTC)))
            next_at = monotonic() + every_seconds
        if not found:
            tail.wait(min(_LOOK_SECONDS, max(next_at - monotonic(), 0)))
    show(board.board(datetime.now(UTC)))


def _print_line(seen: "Board") -> None:
    from worker.commands.support.board_view import board_line  # noqa: PLC0415 - costs time that --help has not

    print(board_line(seen), flush=True)  # noqa: T201 - the output


def _print_json(seen: "Board") -> None:
    import msgspec  # noqa: PLC0415 - costs time that --help has not

    print(msgspec.json.encode(seen).decode(), flush=True)  # noqa: T201 - the output


COMMANDS = {"watch": Command(_configure, _run)}

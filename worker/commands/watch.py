"""`watch`: a live board in the terminal, made from the log's lines or from what the API answers."""

import signal
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import console
from worker.commands.support.setting_flags import add_shared_flags, seconds_argument
from worker.errors import WrongUsage
from worker.process.interruption import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.commands.support.board import Board
    from worker.commands.support.live_board import LiveBoard
    from worker.commands.support.log_tail import FileTail, StreamTail

_EVERY_SECONDS = 2.0
_LOOK_SECONDS = 0.2


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Shows what the processes do, as their log or the API tells it: webhooks a second, the age of the queue, the last
webhook of each source, statuses changing with their causes and providers, and what is wrong now with its remedy.
Addresses are masked even if the log shows them. On a terminal it is a board that Ctrl-C ends; elsewhere one line each
time, or with --json one line of JSON.

The API tells it to every token with the role reader: of the token's account, or of all accounts and the processes.
While it does not answer, the board says so and goes on; if it refuses the token, the exit code is 3.

examples:
  bouncekeeper watch --log /var/log/bouncekeeper.log      follows the file, also when it is rotated
  docker compose logs --follow --no-log-prefix receiver processor 2>&1 | bouncekeeper watch --log -
  bouncekeeper up --logs-format json 2>&1 | bouncekeeper watch --log - --json
  bouncekeeper watch --url https://bouncekeeper.example --token-file /run/secrets/board_token
"""
    feed = parser.add_mutually_exclusive_group(required=True)
    feed.add_argument("--log", metavar="FILE", help="the log's JSON lines; - reads them from standard input")
    feed.add_argument("--url", metavar="URL", help="the API's, such as https://bouncekeeper.example")
    parser.add_argument("--token-file", metavar="FILE", help="with --url: a file with a token of the API")
    parser.add_argument(
        "--every",
        type=seconds_argument,
        default=_EVERY_SECONDS,
        metavar="SECONDS",
        help="how often it is shown anew, and the API asked (default %(default)g)",
    )
    add_shared_flags(parser)


def _run(arguments: Namespace) -> int:
    if (arguments.url is None) != (arguments.token_file is None):
        raise WrongUsage("--url and --token-file belong together: the API answers nobody without a token")
    if arguments.url is not None:
        return _watch_api(arguments)
    from worker.commands.support.log_tail import FileTail, StreamTail  # noqa: PLC0415 - costs time that --help has not

    tail = StreamTail(sys.stdin.fileno()) if arguments.log == "-" else FileTail(Path(arguments.log))
    with closing(tail):
        return _watch_log(tail, arguments)


def _watch_log(tail: "FileTail | StreamTail", arguments: Namespace) -> int:
    from worker.commands.support.live_board import LiveBoard  # noqa: PLC0415 - these cost time that --help has not

    stop = Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    heading = "bouncekeeper watch" if arguments.log == "-" else f"bouncekeeper watch {arguments.log}"
    with _shown(arguments, heading) as show:
        _follow(tail, LiveBoard(), stop, every_seconds=arguments.every, show=show)
    return ExitCode.OK


def _watch_api(arguments: Namespace) -> int:
    import asyncio  # noqa: PLC0415 - these cost time that --help has not

    from worker.commands.support.overview_client import base_of, read_token  # noqa: PLC0415

    url, token = base_of(arguments.url), read_token(arguments.token_file)
    asyncio.run(_ask_again_and_again(url, token, arguments))
    return ExitCode.OK


async def _ask_again_and_again(url: str, token: str, arguments: Namespace) -> None:
    import asyncio  # noqa: PLC0415 - these cost time that --help has not

    from worker.commands.support.api_board import ApiBoard  # noqa: PLC0415
    from worker.commands.support.overview_client import NoAnswer, OverviewClient  # noqa: PLC0415
    from worker.process.pause import pause  # noqa: PLC0415

    stop, board = asyncio.Event(), ApiBoard()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def ask_until_stop(show: "Callable[[Board], None]") -> None:
        while not stop.is_set():
            try:
                board.read(await client.overview())
            except NoAnswer as error:
                board.fail(error.what, error.remedy, now=datetime.now(UTC))
            show(board.board(datetime.now(UTC)))
            await pause(stop, arguments.every)

    async with OverviewClient(url, token) as client:
        with _shown(arguments, f"bouncekeeper watch {url}") as show:
            asking, stopping = asyncio.create_task(ask_until_stop(show)), asyncio.create_task(stop.wait())
            await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not asking.done():  # an answer that is waited for keeps nobody
                asking.cancel()
            await asyncio.wait({asking})
    if not asking.cancelled():
        asking.result()


@contextmanager
def _shown(arguments: Namespace, heading: str) -> "Iterator[Callable[[Board], None]]":
    """What shows a board: on a terminal always in one place, elsewhere line by line."""
    if arguments.json or not sys.stdout.isatty():
        yield _print_json if arguments.json else _print_line
        return
    from rich.live import Live  # noqa: PLC0415 - slow to import, and for terminals alone

    from worker.commands.support.board_view import drawn_board  # noqa: PLC0415

    with Live(console=console(), screen=True, auto_refresh=False) as live:
        yield lambda seen: live.update(drawn_board(seen, heading=heading), refresh=True)


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

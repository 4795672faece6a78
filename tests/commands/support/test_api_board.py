"""The API's answers give a board: rates of two of them, what was known while it is away, and plain words alone."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from worker.commands.support.api_board import ApiBoard
from worker.commands.support.board import Board
from worker.commands.support.board_view import board_line, drawn_board
from worker.contacts.overview import ONLY_IN_THE_LOG, NamedCount, Overview, TroubleView
from worker.store.intake import MOST_SOURCES, SourceIntake

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def answer(*, seconds: float = 0, webhooks: int = 0, **fields: object) -> Overview:
    at = NOW + timedelta(seconds=seconds)
    made = Overview(
        at=at,
        account=None,
        window_seconds=600,
        processors=2,
        queue_age_seconds=0.4,
        waiting_parcels=1234,
        sources=[SourceIntake(source="eu", webhooks=webhooks, last_received_at=at)],
        statuses=[NamedCount(name="blocklisted", count=3)],
        causes=[],
        providers=[],
        changes=[],
        troubles=[],
        not_shown=list(ONLY_IN_THE_LOG),
    )
    return msgspec.structs.replace(made, **fields)


def board_of(*answers: Overview) -> Board:
    board = ApiBoard()
    for one in answers:
        board.read(one)
    return board.board(NOW)


def drawn(board: Board, *, width: int = 120) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(drawn_board(board, heading="watch"))
    return console.export_text()


def test_one_answer_tells_no_rate_and_two_do() -> None:
    assert board_of(answer(webhooks=5)).webhooks_per_second is None
    assert board_of(answer(webhooks=5), answer(webhooks=5)).webhooks_per_second is None, "the same one, from the cache"
    assert board_of(answer(webhooks=5), answer(seconds=20, webhooks=45)).webhooks_per_second == 2


def test_the_rate_is_of_the_last_minute_and_counts_of_the_last_ten() -> None:
    board = board_of(*(answer(seconds=30 * n, webhooks=30 * n if n < 40 else 1170) for n in range(45)))
    assert board.webhooks_per_second == 0
    assert board.sources[0].webhooks == 1170 - 30 * 24


def test_an_api_that_answers_less_often_than_once_a_minute_tells_a_rate() -> None:
    board = board_of(answer(webhooks=5), answer(seconds=70, webhooks=75), answer(seconds=140, webhooks=285))
    assert board.webhooks_per_second == 3


def test_a_source_that_a_full_answer_left_out_counts_from_the_first_answer_that_has_it() -> None:
    full = [SourceIntake(source=f"s{number}", webhooks=1, last_received_at=NOW) for number in range(MOST_SOURCES)]
    back = [SourceIntake(source="back", webhooks=5_000_000, last_received_at=NOW), *full[1:]]
    more = [SourceIntake(source="back", webhooks=5_000_030, last_received_at=NOW), *full[1:]]
    first = board_of(answer(sources=full), answer(seconds=10, sources=back))
    assert (first.sources[0].webhooks, first.webhooks_per_second) == (0, 0)
    board = board_of(answer(sources=full), answer(seconds=10, sources=back), answer(seconds=30, sources=more))
    assert (board.sources[0].webhooks, board.webhooks_per_second) == (30, 1)


def test_a_source_that_a_shorter_answer_lacks_began_after_it() -> None:
    board = board_of(answer(sources=[]), answer(seconds=10, webhooks=20))
    assert (board.sources[0].webhooks, board.webhooks_per_second) == (20, 2)


def test_a_board_without_a_measured_queue_says_that_it_is_unknown() -> None:
    assert "2 processors, how many parcels wait is unknown" in drawn(board_of(answer(waiting_parcels=None)))


def test_a_count_that_began_anew_is_no_negative_rate() -> None:
    board = board_of(answer(webhooks=500), answer(seconds=10, webhooks=3))
    assert (board.webhooks_per_second, board.sources[0].webhooks) == (0, 0)


def test_while_the_api_is_away_what_was_known_stays_and_the_first_trouble_says_so() -> None:
    board = ApiBoard()
    board.fail("refused", "see whether it runs", now=NOW)
    assert (
        board_line(board.board(NOW)) == "12:00:00 in ?/s, queue age unknown, changed 0, trouble: api.away (refused) x1"
    )
    board.read(answer())
    board.fail("refused", "see whether it runs", now=NOW)
    away = board.board(NOW)
    assert (away.processors, away.troubles[0].event, away.statuses) == (2, "api.away", [("blocklisted", 3)])
    board.read(answer(seconds=3))
    assert board.board(NOW).troubles == []


def test_a_board_of_one_account_claims_nothing_about_the_processes() -> None:
    own = board_of(answer(account="shop", processors=None, queue_age_seconds=None, waiting_parcels=None))
    assert board_line(own).endswith("trouble: not shown")
    assert "Whether the processes are well is shown to a token of all accounts." in drawn(own)
    everything = drawn(board_of(answer()))
    assert "Nothing is wrong, as far as the database tells." in everything
    assert "2 processors, 1,234 parcels wait" in everything
    assert "only in the log" in everything


@pytest.mark.parametrize("width", [80, 120])
def test_what_an_api_says_cannot_move_the_cursor_or_name_an_address(width: int) -> None:
    evil = TroubleView(
        event="\x1b[2J",
        level="error",
        about="jane@example.org",
        count=1,
        last_at=NOW,
        says="",
        remedy="see [this page](page.md)\x07",
    )
    text = drawn(board_of(answer(troubles=[evil], not_shown=["\x1b]0;title\x07"])), width=width)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "jane@" not in text
    assert "see this page" in text
    assert "page.md" not in text
    assert all(len(line) <= width for line in text.splitlines())

"""Any lines at all give a board of bounded size, without addresses, that names declared events and fields alone."""

import ast
import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from schemas.log_event import COMMON_FIELDS
from schemas.log_events import LOG_EVENTS
from tests.properties import examples
from worker.commands.support import board as board_module
from worker.commands.support import live_board
from worker.commands.support.board_view import board_line, drawn_board
from worker.commands.support.live_board import READ_FIELDS, LiveBoard

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    sorted({*COMMON_FIELDS, "reason", *(field for fields in READ_FIELDS.values() for field in fields)})
)
OURS = st.fixed_dictionaries(
    {
        "event": st.sampled_from([*READ_FIELDS, *LOG_EVENTS]),
        "level": st.sampled_from(["info", "warning", "error"]),
        "timestamp": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | VALUES,
    }
)
LINES = st.one_of(
    st.binary(max_size=80),
    st.builds(lambda ours, others: json.dumps({**ours, **others}).encode(), OURS, st.dictionaries(FIELDS, VALUES)),
    st.just(b"[" * 100_000),
)


def line(event: str, *, ago: Any = 0, level: str = "info", **fields: Any) -> bytes:
    at = (NOW - timedelta(seconds=ago)).isoformat()
    return json.dumps({"timestamp": at, "level": level, "event": event, **fields}).encode()


def board_of(*lines: bytes) -> board_module.Board:
    board = LiveBoard()
    for one in lines:
        board.read(one, now=NOW)
    return board.board(NOW)


def drawn(board: board_module.Board) -> str:
    console = Console(width=100, record=True, file=StringIO())
    console.print(drawn_board(board, heading="watch"))
    return console.export_text()


@settings(max_examples=examples(100))
@given(lines=st.lists(LINES, max_size=30))
def test_any_lines_give_a_board_that_can_be_drawn_and_encoded(lines: list[bytes]) -> None:
    board = board_of(*lines)
    assert board.lines == sum(bool(one.strip()) for one in lines)
    assert "watch" in drawn(board)
    assert "\n" not in board_line(board)
    assert board_line(board).isprintable()
    msgspec.json.encode(board)


@settings(max_examples=examples(100))
@given(field=st.sampled_from(["contact", "source", "cause", "new_status", "reason", "provider", "old_status", "event"]))
def test_no_address_is_shown_wherever_it_stands(field: str) -> None:
    board = board_of(
        *(
            line(name, **{"level": "error", "source": "x", field: address})
            if field != "event"
            else line(f"about {address}", level="error")
            for name in READ_FIELDS
            for address in ("jane.dunmore@example.org", "+491701234567", '"jane dunmore"@example.org')
        )
    )
    for text in (drawn(board), board_line(board), msgspec.json.encode(board).decode()):
        assert "dunmore" not in text
        assert "1701234567" not in text


def test_the_board_reads_only_declared_events_and_fields() -> None:
    for name, fields in READ_FIELDS.items():
        assert set(fields) <= LOG_EVENTS[name].fields, name
    code = ast.parse(Path(live_board.__file__).read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(code) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {text for text in texts if re.fullmatch(r"[a-z]+\.[a-z_]+", text)} == set(READ_FIELDS)


def test_webhooks_are_counted_in_the_last_minute_and_by_source() -> None:
    board = board_of(
        *[line("webhook.accepted", ago=seconds, source="eu") for seconds in range(30)],
        *[line("webhook.accepted", ago=300, source="us") for _ in range(5)],
        line("webhook.accepted", ago=3_600, source="old"),
    )
    assert board.webhooks_per_second == 0.5
    assert [(one.source, one.webhooks) for one in board.sources] == [("eu", 30), ("us", 5), ("old", 0)]
    assert board.sources[0].last_at == NOW


def test_changes_the_queue_and_troubles_are_told_with_their_remedy() -> None:
    board = board_of(
        line("batch.applied", ago=5, oldest_age_seconds=1.5),
        *[
            line(
                "status.changed",
                contact="j***@example.org",
                old_status="good",
                new_status="blocklisted",
                cause="mailbox_does_not_exist",
                provider="postmark",
            )
            for _ in range(3)
        ],
        line("webhook.refused", level="warning", reason="bad_signature", ago=60),
        line("broker.lost", level="warning", ago=10),
        line("task.failed", level="error", ago=20),
        line("broker.lost", level="warning", ago=3_600),
    )
    assert board.queue_age_seconds == 1.5
    assert (board.statuses, board.causes, board.providers) == (
        [("blocklisted", 3)],
        [("mailbox_does_not_exist", 3)],
        [("postmark", 3)],
    )
    assert [(one.event, one.count) for one in board.troubles] == [
        ("task.failed", 1),
        ("broker.lost", 2),
        ("webhook.refused", 1),
    ]
    assert board.troubles[1].remedy == LOG_EVENTS["broker.lost"].remedy
    assert board.troubles[1].last_at == NOW - timedelta(seconds=10)
    assert "3 times" not in board_line(board)
    assert board_line(board).startswith(
        "12:00:00 in 0.0/s, queue age 1.5 s, changed 3 (blocklisted 3), trouble: task.f"
    )


def test_the_board_stays_small_however_many_names_there_are() -> None:
    board = LiveBoard()
    for number in range(3_000):
        for one in (
            line("webhook.accepted", source=f"s{number}", ago=number % 500),
            line("status.changed", cause=f"c{number}", new_status=f"n{number}", provider=f"p{number}"),
            line(f"odd.{number}", level="error", reason="r" * 10_000),
        ):
            board.read(one, now=NOW)
    seen = board.board(NOW)
    assert (len(seen.sources), len(seen.causes), len(seen.troubles), len(seen.changes)) == (300, 6, 50, 8)
    assert len(msgspec.json.encode(seen)) < 100_000


def test_a_terminals_escape_sequences_are_not_passed_on() -> None:
    board = board_of(line("webhook.accepted", source="\x1b]0;title\x07eu\x1b[2J"))
    assert "\x1b" not in drawn(board)
    assert board.sources[0].source == "\ufffd]0;title\ufffdeu\ufffd[2J"

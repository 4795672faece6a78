"""Lines are JSON, in order, gathered while the event loop turns and never lost when it ends."""

import asyncio
import json
import threading
from http import HTTPStatus
from uuid import UUID

import pytest

from schemas.source import Secret
from worker.process.logs import Reminder, configure_logging, get_logger


@pytest.fixture(autouse=True)
def _lines_of_every_level(_strict_logging: None) -> None:
    configure_logging(level="debug", strict=True, process="test")


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


async def test_lines_of_one_turn_are_written_together_after_it_and_in_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in range(3):
        get_logger().info("process.stopped", seconds=number)
    assert _lines(capsys) == []
    await asyncio.sleep(0)
    assert [line["seconds"] for line in _lines(capsys)] == [0, 1, 2]


async def test_a_warning_is_written_at_once_with_all_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger().info("process.stopped", seconds=1)
    get_logger().warning("webhook.refused", reason="x")
    assert [line["event"] for line in _lines(capsys)] == ["process.stopped", "webhook.refused"]


def test_a_loop_that_ends_leaves_its_lines_to_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    def log_and_stop(loop: asyncio.AbstractEventLoop) -> None:
        loop.stop()
        get_logger().info("process.stopped", seconds=1)

    first = asyncio.new_event_loop()
    first.call_soon(log_and_stop, first)
    first.run_forever()
    first.close()
    second = asyncio.new_event_loop()

    async def log() -> None:
        get_logger().info("process.stopped", seconds=2)

    second.run_until_complete(log())
    second.run_until_complete(asyncio.sleep(0))
    second.close()
    assert [line["seconds"] for line in _lines(capsys)] == [1, 2]


def test_a_thread_without_a_loop_writes_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    thread = threading.Thread(target=lambda: get_logger().info("process.stopped", seconds=1))
    thread.start()
    thread.join()
    assert len(_lines(capsys)) == 1


def test_every_line_begins_with_the_same_columns_and_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger().info("process.stopped", seconds=1)
    [line] = _lines(capsys)
    assert list(line) == ["timestamp", "level", "event", "process", "seconds"]
    assert str(line["timestamp"]).endswith("Z")


def test_secrets_and_local_variables_never_reach_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    password = "hunter2"

    def fail() -> None:
        inner = Secret(password)
        raise ValueError(repr(inner))

    try:
        fail()
    except ValueError:
        get_logger().exception("webhook.failed", source=Secret(password))
    text = capsys.readouterr().err
    assert json.loads(text)["exception"][0]["exc_type"] == "ValueError"
    assert "hunter2" not in text


def test_an_undeclared_event_or_field_is_refused_while_testing() -> None:
    with pytest.raises(AssertionError, match="not declared"):
        get_logger().info("nobody.declared_this")
    with pytest.raises(AssertionError, match="undeclared fields"):
        get_logger().info("process.stopped", colour="red")


def test_on_a_terminal_values_read_as_in_json_and_what_has_none_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json_lines=False, process="test")
    number = UUID("01a2014e-8f20-72ca-9438-80632db2447b")
    get_logger().warning(
        "webhook.refused", delivery_id=number, http_status=HTTPStatus.FORBIDDEN, body_bytes=0, detail="", source=None
    )
    line = capsys.readouterr().err
    assert f"delivery_id={number}" in line
    assert "http_status=403" in line
    assert "body_bytes=0" in line
    assert "detail" not in line
    assert "source" not in line


def test_on_a_terminal_a_traceback_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(json_lines=False, process="test")
    try:
        int("a defect")
    except ValueError:
        get_logger().exception("task.failed", task="x")
    assert "ValueError: invalid literal" in capsys.readouterr().err


def test_a_trouble_that_lasts_is_due_once_and_another_or_a_new_one_at_once() -> None:
    reminder = Reminder()
    assert [reminder.due("broker"), reminder.due("broker"), reminder.due("database")] == [True, False, True]
    reminder.over()
    assert reminder.due("database")

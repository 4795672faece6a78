"""Each log event is told of with its fields, what to do, and a line that the program wrote."""

import json
import re

import pytest

from schemas.log_event import COMMON_FIELDS, anchor_of
from schemas.log_events import LOG_EVENTS
from schemas.log_field import COMMON_LOG_FIELDS, LOG_FIELDS
from tests.captured_lines import capture_logs
from tests.docs.log_examples import choose, examples, faults_of
from tests.docs.pages import REPOSITORY, anchors_of
from tests.test_house import SOURCES, logged_names
from worker.commands.catalogue import COMMANDS
from worker.process.logs import get_logger


def test_each_field_is_declared_once_with_its_meaning_and_is_used() -> None:
    used = {field for event in LOG_EVENTS.values() for field in event.fields}
    assert used == set(LOG_FIELDS)
    assert not set(LOG_FIELDS) & set(COMMON_LOG_FIELDS)


def test_each_warning_and_error_says_what_to_do() -> None:
    silent = [name for name, event in LOG_EVENTS.items() if event.level in {"warning", "error"} and not event.remedy]
    assert not silent


def test_what_to_do_is_said_in_sentences_with_commands_that_exist() -> None:
    for name, event in LOG_EVENTS.items():
        for text in (event.says, event.remedy, *event.remedies.values()):
            assert not text or text.endswith((".", ")")), name
            unknown = set(re.findall(r"`bouncekeeper ([a-z-]+)", text)) - set(COMMANDS)
            assert not unknown, name


def test_alerts_can_link_to_each_event() -> None:
    anchors = [anchor_of(name) for name in LOG_EVENTS]
    assert len(set(anchors)) == len(anchors)
    assert set(anchors) <= anchors_of(REPOSITORY / "docs" / "log-events.md")


@pytest.mark.parametrize("name", sorted(examples()))
def test_an_example_is_as_the_event_is_declared(name: str) -> None:
    assert not faults_of(json.loads(examples()[name]))


def test_an_example_has_the_fields_that_the_program_writes() -> None:
    written: dict[str, list[set[str]]] = {}
    for path in SOURCES:
        for _, name, fields in logged_names(path):
            written.setdefault(name, []).append((fields or set()) - COMMON_FIELDS - {"exc_info", "event"})
    for name, line in examples().items():
        if calls := written.get(name):
            assert any(call <= set(json.loads(line)) for call in calls), name


def test_each_event_has_an_example() -> None:
    assert set(LOG_EVENTS) == set(examples())


def test_a_line_with_a_value_of_another_type_fails_the_test_that_writes_it() -> None:
    log = get_logger()
    log.info("mailbox.emptied", source="main", queued=1, postponed=0, passed_over=0, seconds=0.1)
    with pytest.raises(AssertionError, match="queued='1'"):
        log.info("mailbox.emptied", source="main", queued="1", postponed=0, passed_over=0, seconds=0.1)
    with pytest.raises(AssertionError, match="seconds=None"):
        log.info("mailbox.emptied", source="main", queued=1, postponed=0, passed_over=0, seconds=None)


def test_a_line_that_a_test_captures_is_held_to_its_declaration_too() -> None:
    with capture_logs() as lines:
        get_logger().info("partition.made", month="2026-03")
        with pytest.raises(AssertionError, match="month=3"):
            get_logger().info("partition.made", month=3)
    assert [line["month"] for line in lines] == ["2026-03"]


def test_the_line_that_tells_most_becomes_the_example_and_a_wrong_one_never() -> None:
    common = {"timestamp": "2026-11-20T12:00:00Z", "level": "info", "event": "partition.made"}
    without, whole, wrong = common, {**common, "month": "2026-03"}, {**common, "month": 3, "pid": 1}
    chosen = choose(json.dumps(line) for line in (without, whole, wrong))
    assert json.loads(chosen["partition.made"])["month"] == "2026-03"

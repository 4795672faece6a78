"""A line of each log event, for docs/log-events.md. The program wrote each of them in a test.

`BOUNCEKEEPER_LOG_LINES=/tmp/lines.jsonl make test` keeps the lines that the tests write, and
`python -m tests.docs.log_examples /tmp/lines.jsonl` takes an example of each event out of them. An event that was not
written keeps the example that it has, if that is still as declared. Only the time and temporary folders are changed, so
that pages stay the same.
"""

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import EventDict

from schemas.log_event import COMMON_FIELDS
from schemas.log_events import LOG_EVENTS
from schemas.log_field import COMMON_LOG_FIELDS, LOG_FIELDS
from worker.process.logs import rendering

# Read at once: tests run without the variables of the one who starts them.
LINES_FILE = os.environ.get("BOUNCEKEEPER_LOG_LINES")
_EXAMPLES = Path(__file__).parent / "log_examples.jsonl"
_MOMENT = "2026-03-04T05:06:07.833001Z"
_TEMPORARY = re.compile(r"(?:/tmp|/dev/shm)/[\w.-]+")
_LONGEST = 1200  # characters: a page is for reading


def keep_lines() -> None:
    """Lines are added to the file too, if one is named. Call it after `configure_logging`."""
    if LINES_FILE is None:
        return
    file = Path(LINES_FILE)

    def keep(_logger: Any, _method: str, line: Any) -> str:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")
        return str(line)

    structlog.configure(processors=[*structlog.get_config()["processors"], keep])


def keep_captured(logger: Any, method: str, line: EventDict) -> EventDict:
    """A line that a test captures is added to the file too, rendered as it would be written."""
    if LINES_FILE is not None:
        rendered: Any = dict(line)
        for process in rendering():
            rendered = process(logger, method, rendered)
        keep_text(str(rendered))
    return line


def keep_text(text: str) -> None:
    """The lines that a process of its own has written are added to the file too, if one is named."""
    if LINES_FILE is None:
        return
    with Path(LINES_FILE).open("a", encoding="utf-8") as kept:
        kept.writelines(f"{line}\n" for line in text.splitlines() if line.startswith('{"timestamp":'))


def examples() -> dict[str, str]:
    """The line of each event that has one."""
    return {json.loads(line)["event"]: line for line in _EXAMPLES.read_text(encoding="utf-8").splitlines()}


def faults_of(line: dict[str, Any]) -> list[str]:
    """In what the line is not as its event is declared; nothing if it is."""
    declared = LOG_EVENTS.get(line["event"])
    if declared is None:
        return [f"{line['event']} is not declared"]
    faults = [f"the level is {declared.level}"] if line["level"] != declared.level else []
    for name, value in line.items():
        if name not in declared.fields | COMMON_FIELDS:
            faults.append(f"{name} is not declared")
        elif not (LOG_FIELDS.get(name) or COMMON_LOG_FIELDS[name]).allows(value):
            faults.append(f"{name}={value!r} is of another type")
    return faults


def choose(lines: Iterable[str]) -> dict[str, str]:
    """Of each event the line that tells most; the shortest of those."""
    chosen: dict[str, tuple[int, int, str]] = {}
    for text in lines:
        line = json.loads(text)
        line.pop("exception", None)  # it would fill a page
        shown = _TEMPORARY.sub("/var/lib/bouncekeeper", json.dumps({**line, "timestamp": _MOMENT}, ensure_ascii=False))
        told = sum(value not in (None, "", 0, []) for value in line.values())
        candidate = (-told, len(shown), shown)
        if len(shown) <= _LONGEST and not faults_of(line):
            name = line["event"]
            chosen[name] = min(candidate, chosen.get(name, candidate))
    return {name: shown for name, (_, _, shown) in chosen.items()}


if __name__ == "__main__":
    written = choose(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    kept = {name: line for name, line in examples().items() if not faults_of(json.loads(line))}
    # An example that is as declared stays, so that pages change little; one that lacks a new field does not.
    for name in kept.keys() & written.keys():
        if set(json.loads(written[name])) > set(json.loads(kept[name])):
            del kept[name]
    _EXAMPLES.write_text("".join(f"{line}\n" for _, line in sorted({**written, **kept}.items())), encoding="utf-8")

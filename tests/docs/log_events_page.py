"""docs/log-events.md: of each event when it is logged, its fields, a line, and what to do."""

import json

from schemas.log_event import LogEvent, anchor_of
from schemas.log_events import LOG_EVENTS
from schemas.log_field import COMMON_LOG_FIELDS, LOG_FIELDS, LogField
from tests.docs.log_examples import examples
from tests.docs.tables import table

_LEVELS = ("error", "warning", "info", "debug")


def log_events_page() -> str:
    """docs/log-events.md."""
    lines = examples()
    parts = [
        "# Log events",
        "<!-- generated from schemas/log_events.py by `python -m tests.docs.generated_pages`: edit it there -->",
        (
            "One line on standard error for each thing that happened: JSON, or columns with "
            '`logs.format = "console"`.\n'
            "A name never changes its meaning; fields are only added.\n"
            "Addresses are masked unless `logs.show_addresses` is set; secrets and bodies are never logged.\n"
            "The examples are lines that the tests made the program write.\n"
            "[operating.md](operating.md#reading-the-log) shows how to follow one webhook through the log."
        ),
        "## All events",
        *[
            f"**{level.capitalize()}**: " + ", ".join(f"[`{name}`](#{anchor_of(name)})" for name in names) + "."
            for level in _LEVELS
            if (names := [name for name, event in LOG_EVENTS.items() if event.level == level])
        ],
        "## Fields of every line",
        "Every line may have these, beside those of its event:",
        _fields(COMMON_LOG_FIELDS),
    ]
    for level in _LEVELS:
        parts.append(f"## {level.capitalize()}")
        for name, event in LOG_EVENTS.items():
            if event.level == level:
                parts += _section(name, event, lines.get(name))
    return "\n\n".join(parts) + "\n"


def _section(name: str, event: LogEvent, example: str | None) -> list[str]:
    parts = [f"### `{name}`", event.says]
    if event.remedy:
        parts.append(f"*What to do:* {event.remedy}")
    if event.remedies:
        parts.append(
            table(["reason", "what to do"], [[f"`{word}`", do] for word, do in sorted(event.remedies.items())])
        )
    if event.fields:
        parts.append(_fields({field: LOG_FIELDS[field] for field in sorted(event.fields)}))
    if example is not None:
        compact = json.dumps(json.loads(example), ensure_ascii=False, separators=(",", ":"))
        parts.append(f"```json\n{compact}\n```")
    return parts


def _fields(fields: dict[str, LogField]) -> str:
    return table(
        ["field", "type", "meaning"], [[f"`{name}`", _type(field), field.meaning] for name, field in fields.items()]
    )


def _type(field: LogField) -> str:
    unit = f", {field.unit}" if field.unit else ""
    return f"{field.type}{unit}{' or null' if field.may_be_null else ''}"

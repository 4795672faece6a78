"""The declaration of one kind of log line."""

from collections.abc import Mapping

from msgspec import Struct

from schemas.log_field import COMMON_LOG_FIELDS

# Fields that any line may have: bound once per process or added by the logging set-up.
COMMON_FIELDS = frozenset(COMMON_LOG_FIELDS)


class LogEvent(Struct, frozen=True, kw_only=True):
    """What a log line of one name tells, which fields it may have beside COMMON_FIELDS, and what to do about it."""

    level: str  # debug, info, warning or error
    says: str  # one or two sentences for the operator
    fields: frozenset[str]  # each is declared in schemas/log_field.py
    remedy: str = ""  # what to do: warnings and errors always say it
    remedies: Mapping[str, str]  # what to do for some values of the field `reason`


def log_event(
    level: str, says: str, *fields: str, remedy: str = "", remedies: Mapping[str, str] | None = None
) -> LogEvent:
    """A declaration, as it is written in the list of all."""
    return LogEvent(level=level, says=says, fields=frozenset(fields), remedy=remedy, remedies=remedies or {})


def anchor_of(name: str) -> str:
    """The fragment of the event's heading in docs/log-events.md, for links of alerts: `broker.lost` is `brokerlost`."""
    return name.replace(".", "")

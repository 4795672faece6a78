"""The declaration of one kind of log line."""

from msgspec import Struct

# Fields that any line may have: bound once per process or added by the logging set-up.
COMMON_FIELDS = frozenset({"event", "level", "timestamp", "process", "exception", "delivery_id"})


class LogEvent(Struct, frozen=True, kw_only=True):
    """What a log line of one name tells, and which fields it may carry beside COMMON_FIELDS."""

    level: str  # debug, info, warning or error
    says: str  # one sentence for the operator
    fields: frozenset[str]


def log_event(level: str, says: str, *fields: str) -> LogEvent:
    """A declaration, as it is written in the list of all."""
    return LogEvent(level=level, says=says, fields=frozenset(fields))

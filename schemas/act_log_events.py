"""The lines about acts: what a person, an application or the configuration decided. Each names its actor."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

ACT_LOG_EVENTS: dict[str, LogEvent] = {
    "account.added": _event(
        "info",
        "An account exists from now on. `actor` is a person, the configuration, or the source whose event named it.",
        "account",
        "actor",
    ),
    "account.changed": _event(
        "info",
        "A person changed an account's time zone or the recipients of its summary.",
        "account",
        "actor",
        "time_zone",
        "summary_recipients",
    ),
}

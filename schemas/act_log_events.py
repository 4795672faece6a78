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
    "token.created": _event(
        "info",
        "A person made a token for the API. Its text is shown once, and never logged.",
        "token",
        "token_id",
        "account",
        "role",
        "actor",
    ),
    "token.revoked": _event(
        "info",
        "A person revoked a token: within seconds the API refuses it.",
        "token",
        "token_id",
        "account",
        "role",
        "actor",
    ),
}

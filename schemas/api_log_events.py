"""The lines of the API."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

API_LOG_EVENTS: dict[str, LogEvent] = {
    "api.answered": _event(
        "info",
        "The API answered a request: what was asked, by which token, the result and the time it took.",
        "method",
        "route",
        "http_status",
        "seconds",
        "problem",
        "account",
        "contact",
        "mail_class",
        "allowed",
        "forbidden",
        "changes",
        "recipients",
        "token",
        "kind",
        "act_id",
        "made",
        "unchanged",
        "skipped",
    ),
    "api.failed": _event(
        "error",
        "A request to the API hit a bug of ours. The caller got 500, and nothing was allowed.",
        "method",
        "route",
    ),
    "api.overloaded": _event(
        "warning",
        "The API has reached api.max_bytes_under_way, or too many requests wait: it answers 429. Logged once a minute "
        "while it lasts, with the count since the previous line.",
        "reason",
        "count",
        "bytes",
        "waiting",
    ),
    "token.refused": _event(
        "warning",
        "Requests to the API came without a valid token. With the reason `guessing` the token was not checked. Logged "
        "once a minute for each address, with the count since the previous line, and 30 times a minute in all.",
        "remote_address",
        "reason",
        "count",
    ),
}

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
    "act.finished": _event(
        "info",
        "All that a request or a command decides is decided. With `repeated` it came again under its idempotency key.",
        "act_id",
        "what",
        "kind",
        "account",
        "actor",
        "made",
        "unchanged",
        "skipped",
        "repeated",
        "seconds",
    ),
    "decision.made": _event(
        "info",
        "A person or an application decided about a contact; a line `status.changed` follows if that changed anything.",
        "contact_id",
        "contact",
        "account",
        "channel",
        "kind",
        "actor",
        "act_id",
    ),
    "policy.applied": _event(
        "info",
        "A policy is in force from now on: on the first start, by `policy apply`, or because `up` or `stack` was "
        "started with it. The job folds contacts again that were folded under another one.",
        "policy_id",
        "name",
        "actor",
        "job_id",
    ),
    "policy.pending": _event(
        "warning",
        "The policy of the configuration differs from the one in force, `active_id`, and waits: see what it would "
        "change with `bouncekeeper policy apply --dry-run`, then apply it, or take the change back.",
        "policy_id",
        "name",
        "active_id",
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

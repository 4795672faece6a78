"""The lines about jobs: long work in the background. Each names who asked for it, and the act that the job is."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

_MAIL = ("account", "local_date", "summary_id", "mail_id", "recipient", "attempts")
_JOB = ("job_id", "kind", "act_id", "actor")

JOB_LOG_EVENTS: dict[str, LogEvent] = {
    "job.cancelled": _event(
        "info",
        "A job was cancelled, by the actor. What it did until then stays done.",
        *_JOB,
        "counts",
    ),
    "job.ended": _event(
        "info", "A job has done all that there was to do. `counts` says what.", *_JOB, "seconds", "counts"
    ),
    "job.failed": _event(
        "error",
        "A job has hit a bug of ours, and has ended; its steps until then stay done.",
        *_JOB,
    ),
    "job.started": _event("info", "A job begins; every processor takes part. `actor` asked for it.", *_JOB),
    "refold.ended": _event(
        "info",
        "A contact's long log is folded again. `seconds` is the time since that was requested; after a late entry the "
        "contact answered with the stricter of the statuses known for so long.",
        "contact_id",
        "seconds",
    ),
    "refold.failed": _event(
        "error",
        "Folding a contact's long log again has hit a bug of ours. It is tried again every five minutes; until then "
        "the contact answers with the status of its former policy, or the stricter of the statuses known.",
        "contact_id",
    ),
    "refold.requested": _event(
        "info",
        "A contact's long log is to be folded again in the background. `reason` is `late_entry`: something came late "
        "into it; or `policy`: another policy is active since it was folded.",
        "contact_id",
        "reason",
    ),
    "summary.failed": _event(
        "error",
        "Writing or sending a daily summary has hit a bug of ours. It is tried again after a few minutes.",
        *_MAIL,
    ),
    "summary.made": _event(
        "info",
        "The daily summary of an account is made: what it tells of is fixed. `text` is its first sentence; "
        "`bouncekeeper summary` shows the whole. `recipients` is the number of mails to send.",
        "account",
        "local_date",
        "summary_id",
        "text",
        "approved",
        "declined",
        "recipients",
    ),
    "summary.postponed": _event(
        "warning",
        "The SMTP server was away, or has not taken a daily summary for now: it is tried again.",
        *_MAIL,
        "reason",
        "wait_seconds",
    ),
    "summary.refused": _event(
        "error",
        "The SMTP server refuses a daily summary for good: it is not tried again. `bouncekeeper summary` shows it.",
        *_MAIL,
        "reason",
    ),
    "summary.sent": _event("info", "The SMTP server has accepted a daily summary.", *_MAIL),
    "summary.unsure": _event(
        "warning",
        "A daily summary went out, and its answer was not read: the server may have accepted it, so it is not sent "
        "again. `bouncekeeper summary` shows it.",
        *_MAIL,
        "reason",
    ),
    "summary.zone_unknown": _event(
        "warning",
        "An account has a time zone that this version does not know; its summary comes at the hour of another one. "
        "Set it with `bouncekeeper accounts set`.",
        "account",
        "time_zone",
        "reason",
    ),
}

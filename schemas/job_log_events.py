"""The lines about jobs: long work in the background. Each names who asked for it, and the act that the job is."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

_MAIL = ("account", "local_date", "summary_id", "mail_id", "recipient", "attempts")
_JOB = ("job_id", "kind", "act_id", "actor")

JOB_LOG_EVENTS: dict[str, LogEvent] = {
    "job.cancelled": _event(
        "info",
        "A job was cancelled by the actor, and has ended. What it did until then stays done.",
        *_JOB,
        "counts",
    ),
    "job.ended": _event(
        "info", "A job has done all that there was to do. `counts` says what.", *_JOB, "seconds", "counts"
    ),
    "job.failed": _event(
        "error",
        "A job has hit a bug of ours, and has ended. Its steps until then stay done.",
        *_JOB,
        remedy="Please report it, with the traceback in the line. `bouncekeeper jobs show ID` says how far it came; "
        "after the fix ask for it again, as with `bouncekeeper policy apply`.",
    ),
    "job.started": _event("info", "A job begins; every processor takes part. `actor` asked for it.", *_JOB),
    "refold.ended": _event(
        "info",
        "The status of a contact with a long log is computed again. `seconds` is the time since that was requested: "
        "within seconds for a million entries on an idle machine. After a late entry the contact answered with the "
        "stricter of the known statuses meanwhile.",
        "contact_id",
        "seconds",
        remedy="If `seconds` and `bouncekeeper_refold_seconds` grow, add processors.",
    ),
    "refold.failed": _event(
        "error",
        "Computing a contact's status again has hit a bug of ours. It is tried again every five minutes. Until then "
        "the contact answers with the status under its former policy, or the stricter of the known statuses.",
        "contact_id",
        remedy="Please report it, with the traceback in the line. `bouncekeeper explain ADDRESS` shows the contact's "
        "entries.",
    ),
    "refold.requested": _event(
        "info",
        "The status of a contact with a long log is to be computed again in the background. `reason` is `late_entry` "
        "if an event came late, and `policy` if another policy is in force.",
        "contact_id",
        "reason",
    ),
    "summary.failed": _event(
        "error",
        "Writing or sending a daily summary has hit a bug of ours. It is tried again after a few minutes.",
        *_MAIL,
        remedy="Please report it, with the traceback in the line. `bouncekeeper summary` shows the summary meanwhile.",
    ),
    "summary.made": _event(
        "info",
        "The daily summary of an account is made, and does not change any more. `recipients` is the number of mails to "
        "send.",
        "account",
        "local_date",
        "summary_id",
        "text",
        "approved",
        "declined",
        "recipients",
        remedy="`bouncekeeper summary` shows the whole of it.",
    ),
    "summary.postponed": _event(
        "warning",
        "The SMTP server was away, or has not accepted a daily summary for now. It is tried again.",
        *_MAIL,
        "reason",
        "wait_seconds",
        remedy="If it stays, run `bouncekeeper doctor`: it says whether the mail server can be used.",
    ),
    "summary.refused": _event(
        "error",
        "The SMTP server refuses a daily summary for good. It is not tried again.",
        *_MAIL,
        "reason",
        remedy="Correct the recipients with `bouncekeeper accounts set ACCOUNT --summary-to ADDRESS`, or what `reason` "
        "names. `bouncekeeper summary` shows the summary.",
    ),
    "summary.sent": _event("info", "The SMTP server has accepted a daily summary.", *_MAIL),
    "summary.unsure": _event(
        "warning",
        "A daily summary was sent, but the server's answer did not arrive. The server may have accepted it, so it is "
        "not sent again.",
        *_MAIL,
        "reason",
        remedy="Ask the recipient whether it arrived. `bouncekeeper summary` shows the summary.",
    ),
    "summary.zone_unknown": _event(
        "warning",
        "An account has a time zone that this machine does not know. Its summary is made at the hour of New York.",
        "account",
        "time_zone",
        "reason",
        remedy="Run `bouncekeeper accounts set ACCOUNT --time-zone Europe/Berlin` with a known one, or install this "
        "machine's time zones (Debian: `tzdata`).",
    ),
}

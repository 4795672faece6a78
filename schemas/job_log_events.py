"""The lines about jobs: long work in the background. Each names who asked for it, and the act that the job is."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

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
}

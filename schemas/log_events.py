"""Every line this program can log: its name, its level, its fields and what it tells the operator.

Names are `noun.verb_past`. A name or field that is not declared here is refused while testing.
"""

from msgspec import Struct


class LogEvent(Struct, frozen=True, kw_only=True):
    """The declaration of one kind of log line."""

    level: str  # debug, info, warning or error
    says: str  # one sentence for the operator
    fields: frozenset[str]


def _event(level: str, says: str, *fields: str) -> LogEvent:
    return LogEvent(level=level, says=says, fields=frozenset(fields))


# Fields that any line may carry: bound once per process or added by the logging set-up itself.
COMMON_FIELDS = frozenset({"event", "level", "timestamp", "process", "exception", "delivery_id"})

LOG_EVENTS: dict[str, LogEvent] = {
    "api.answered": _event(
        "info",
        "A question to the API was answered: what was asked, how it went and how long it took.",
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
    ),
    "api.failed": _event(
        "error",
        "A question to the API met a defect of ours; the asker got 500 and nothing was allowed.",
        "method",
        "route",
    ),
    "api.overloaded": _event(
        "warning",
        "The API holds as much as api.max_bytes_under_way lets it, or too many wait: questions are answered 429. Said "
        "once a minute while it lasts, with the count since the line before.",
        "reason",
        "count",
        "bytes",
        "waiting",
    ),
    "batch.applied": _event(
        "info",
        "A load of deliveries is committed, in one or more batches: what was in it and how long it took.",
        "parcels",
        "deliveries",
        "events",
        "new_events",
        "duplicates",
        "contacts",
        "status_changes",
        "set_aside",
        "refolded",
        "parse_seconds",
        "store_seconds",
        "oldest_age_seconds",
        "attempts",
        "batches",
        "queue",
    ),
    "batch.retried": _event(
        "warning",
        "A batch met a deadlock, a serialization failure or a lost database and is done again.",
        "attempt",
        "reason",
        "wait_seconds",
    ),
    "broker.connected": _event("info", "RabbitMQ is reached and its queues are as they should be.", "role", "address"),
    "broker.lost": _event(
        "warning",
        "The connection to RabbitMQ is gone or could not be opened; said once a minute while it lasts.",
        "role",
        "reason",
        "wait_seconds",
    ),
    "broker.misconfigured": _event(
        "error",
        "RabbitMQ answers but refuses what we need; nothing is queued there until a person acts.",
        "role",
        "reason",
        "wait_seconds",
    ),
    "certificate.fetched": _event("info", "A vendor's signing certificate was fetched over https and is kept.", "url"),
    "changes.published": _event("debug", "Status changes were published to the topic exchange.", "count", "seconds"),
    "connection.cut_off": _event(
        "warning",
        "Connections were turned away, closed to make room for others, or cut off for how their requests came: said at "
        "once, then once a minute with their number. `remote_address` is the first one's.",
        "role",
        "reason",
        "detail",
        "count",
        "open",
        "remote_address",
    ),
    "connections.limited": _event(
        "warning",
        "The system allows this process too few open files for connections.max_open: fewer are kept open. Raise the "
        "hard limit (systemd: LimitNOFILE).",
        "role",
        "max_open",
        "open_files",
    ),
    "consumer.resumed": _event(
        "info", "Postgres answers again, and the worker takes parcels from this queue again.", "queue", "seconds"
    ),
    "consumer.suspended": _event(
        "warning",
        "Postgres is away for longer than a restart takes: the worker gives back what it holds, and takes nothing.",
        "queue",
        "reason",
    ),
    "delivery.set_aside": _event(
        "warning",
        "One delivery, or the events of one that could not be read, are kept as they came in dead_letters.",
        "source",
        "provider",
        "reason",
        "detail",
    ),
    "endpoint.disabled": _event(
        "error",
        "An application has taken no webhook of ours for days, or asks for none (410): nothing is sent to it until a"
        " person enables it again. What changes meanwhile waits.",
        "endpoint",
        "reason",
        "failing_since",
        "remedy",
    ),
    "endpoint.failed": _event(
        "warning",
        "An application has not taken a webhook of ours, and is tried again; said at first, then about once an hour.",
        "endpoint",
        "reason",
        "attempts",
        "wait_seconds",
    ),
    "endpoint.recovered": _event(
        "info", "An application takes our webhooks again; after how many attempts.", "endpoint", "attempts"
    ),
    "event.expired": _event(
        "warning",
        "Events from before the retention that change nothing, or name nobody, were counted and not stored.",
        "count",
    ),
    "event.failed": _event(
        "error",
        "One event could not be applied: a defect of ours, or a contact's row that cannot be read. Its delivery is set "
        "aside whole.",
    ),
    "event.unknown": _event(
        "warning",
        "An ESP sent an event name or bounce class that this version does not know; it is kept as `other`.",
        "source",
        "provider",
        "vendor_event",
        "count",
    ),
    "folder.opened": _event(
        "warning",
        "A folder may now be entered by other users, as the embedded Postgres does not run as root.",
        "folder",
        "mode",
    ),
    "load.given_back": _event(
        "warning",
        "Postgres is away: what the worker could not store goes back to the queue and is lent again.",
        "queue",
        "parcels",
        "reason",
    ),
    "mail.fetched": _event(
        "info",
        "A mail of an IMAP mailbox is confirmed by the queue; it is flagged, moved or deleted next.",
        "source",
        "provider",
        "uid",
        "body_bytes",
        "dkim_pass",
    ),
    "mail.passed_over": _event(
        "warning",
        "A mail cannot be taken and stays in its mailbox; said once while the process runs.",
        "source",
        "provider",
        "uid",
        "reason",
        "body_bytes",
    ),
    "mail.postponed": _event(
        "info",
        "The key of a mail's DKIM signature could not be looked up now: the mail is fetched again later.",
        "source",
        "provider",
        "uid",
        "reason",
    ),
    "mailbox.emptied": _event(
        "info",
        "All that waited in a mailbox was taken; said when there was something.",
        "source",
        "queued",
        "postponed",
        "passed_over",
        "seconds",
    ),
    "mailbox.lost": _event(
        "warning",
        "An IMAP server is away, or does not let us in any more; said once a minute while it lasts.",
        "source",
        "reason",
        "wait_seconds",
    ),
    "mailbox.opened": _event(
        "info",
        "An IMAP server has let us into a mailbox.",
        "source",
        "address",
        "folder",
        "mails",
        "idle",
    ),
    "package.installing": _event(
        "warning", "A program is not on this machine: Debian's package of it is being installed.", "command"
    ),
    "parcel.failed": _event(
        "error",
        "The queue's writer met something it does not know; the webhooks inside are answered with 503.",
        "envelopes",
    ),
    "parcel.parked": _event(
        "warning",
        "The broker did not confirm in time, so parcels go to Postgres instead: first of a row.",
        "reason",
    ),
    "parcel.published_again": _event(
        "warning",
        "The queue did not confirm a parcel, and it is offered once more; duplicates change nothing.",
        "envelopes",
        "detail",
    ),
    "parcel.tried": _event(
        "warning",
        "A parcel that a worker had when it died, or could not store, is tried alone: as a whole, then delivery by"
        " delivery. Another death would say which one it is.",
        "queue",
        "source",
        "parcel_bytes",
        "one_by_one",
    ),
    "parking.ended": _event(
        "info", "The broker confirms again; how many parcels were parked meanwhile.", "parcels", "seconds"
    ),
    "parser.failed": _event(
        "error",
        "A provider's parser failed on a delivery: a defect of ours. The delivery is set aside whole.",
        "source",
        "provider",
    ),
    "partition.dropped": _event(
        "info",
        "A month of events is past the retention and was dropped; those that still have a say are kept.",
        "month",
        "contacts",
        "kept_events",
    ),
    "partition.made": _event("info", "A month's partition of events was made.", "month"),
    "process.restarted": _event(
        "warning",
        "A process of `bouncekeeper stack` ended by itself and is started again.",
        "role",
        "exit_code",
        "wait_seconds",
    ),
    "process.started": _event("info", "A process is ready for work.", "role", "version", "address"),
    "process.stopped": _event("info", "A process has finished what it had accepted and ends.", "role", "seconds"),
    "schema.returned": _event("info", "The database's tables are back and whole: the worker goes on."),
    "schema.vanished": _event(
        "error",
        "Tables that were there are gone, as while a backup is restored: the worker lets go of the database until they"
        " are back and whole.",
        "reason",
    ),
    "service.left_over": _event(
        "warning",
        "A local service of an earlier run that was killed still ran; it is ended first.",
        "service",
        "pid",
    ),
    "service.started": _event(
        "info",
        "A local Postgres or RabbitMQ is ready for connections.",
        "service",
        "address",
        "folder",
    ),
    "service.stopped": _event("info", "A local Postgres or RabbitMQ of ours has ended.", "service", "signal"),
    "status.changed": _event(
        "info",
        "A contact's status is another one now, and why.",
        "contact_id",
        "contact",
        "account",
        "channel",
        "old_status",
        "new_status",
        "cause",
        "rule",
        "until",
        "actor",
    ),
    "subscription.confirmed": _event(
        "info", "A vendor's subscription handshake was finished; its webhooks come from now on.", "source", "topic"
    ),
    "sweep.applied": _event("info", "Holds that ended by themselves were written to the history.", "contacts"),
    "task.failed": _event(
        "warning",
        "A background task of the worker could not do its work now; it tries again after a pause.",
        "task",
        "reason",
        "wait_seconds",
    ),
    "token.refused": _event(
        "warning",
        "Questions to the API came without a valid token; with reason `guessing` it was not even looked at. Said once "
        "a minute for each address, with the count since the line before, and 30 times a minute in all.",
        "remote_address",
        "reason",
        "count",
    ),
    "user.added": _event("info", "A system user was added for the embedded Postgres.", "user"),
    "webhook.accepted": _event(
        "info",
        "A webhook is authentic, confirmed by the queue and answered with success.",
        "source",
        "provider",
        "body_bytes",
        "http_status",
        "seconds",
        "remote_address",
    ),
    "webhook.answered": _event(
        "info",
        "An authentic request that carries no event (a handshake, a test) is answered; nothing is queued.",
        "source",
        "provider",
        "reason",
        "detail",
        "body_bytes",
        "http_status",
        "seconds",
    ),
    "webhook.failed": _event(
        "error",
        "A mistake of this program; the vendor is told to send the webhook again.",
        "source",
        "provider",
        "body_bytes",
    ),
    "webhook.postponed": _event(
        "warning",
        "A webhook could not be stored now; the vendor is told to send it again.",
        "source",
        "provider",
        "reason",
        "detail",
        "body_bytes",
        "http_status",
        "seconds",
    ),
    "webhook.refused": _event(
        "warning",
        "A request is not authentic, too large, too slow or for no source of ours; nothing is queued.",
        "source",
        "provider",
        "reason",
        "detail",
        "body_bytes",
        "http_status",
        "seconds",
        "remote_address",
    ),
}

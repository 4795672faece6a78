"""Every line that this program can log: its name, its level, its fields and its meaning for the operator.

Names are `noun.verb_past`. The tests refuse a name or field that is not declared here.
"""

from schemas.act_log_events import ACT_LOG_EVENTS
from schemas.api_log_events import API_LOG_EVENTS
from schemas.contact_log_events import CONTACT_LOG_EVENTS
from schemas.job_log_events import JOB_LOG_EVENTS
from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

WORK_LOG_EVENTS: dict[str, LogEvent] = {
    "batch.applied": _event(
        "info",
        "A load of deliveries is committed, in one or more batches: its content and the time it took.",
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
        "A batch hit a deadlock, a serialization failure or a lost connection to Postgres, and is tried again.",
        "attempt",
        "reason",
        "wait_seconds",
    ),
    "broker.connected": _event("info", "RabbitMQ is connected and its queues are declared.", "role", "address"),
    "broker.lost": _event(
        "warning",
        "The connection to RabbitMQ is lost or could not be opened. Logged once a minute while it lasts.",
        "role",
        "reason",
        "wait_seconds",
    ),
    "broker.misconfigured": _event(
        "error",
        "RabbitMQ answers but refuses what this process needs. Nothing is queued there until a person acts.",
        "role",
        "reason",
        "wait_seconds",
    ),
    "certificate.fetched": _event("info", "A vendor's signing certificate was fetched over https.", "url"),
    "changes.published": _event("debug", "Status changes were published to the topic exchange.", "count", "seconds"),
    "connection.cut_off": _event(
        "warning",
        "Connections were turned away, closed to make room for others, or cut off because their requests came too "
        "slowly or in too many pieces. Logged at once, then once a minute with their number. `remote_address` is that "
        "of the first one.",
        "role",
        "reason",
        "detail",
        "count",
        "open",
        "remote_address",
    ),
    "connections.limited": _event(
        "warning",
        "The system allows this process too few open files for connections.max_open, so it keeps fewer connections. "
        "Raise the hard limit (systemd: LimitNOFILE).",
        "role",
        "max_open",
        "open_files",
    ),
    "consumer.resumed": _event(
        "info", "Postgres answers again, and the processor takes parcels from this queue again.", "queue", "seconds"
    ),
    "consumer.suspended": _event(
        "warning",
        "Postgres is away for longer than a restart takes: the processor gives back what it holds, and takes nothing.",
        "queue",
        "reason",
    ),
    "database.upgraded": _event(
        "info", "`migrate` has brought the database up to date.", "migrations", "events", "renamed", "joined", "seconds"
    ),
    "delivery.set_aside": _event(
        "warning",
        "A delivery, or its events that could not be read, is kept unchanged in dead_letters.",
        "source",
        "provider",
        "reason",
        "detail",
    ),
    "endpoint.disabled": _event(
        "error",
        "An application has accepted no webhook of ours for days, or answered 410: it gets no more until a person "
        "enables it again. Changes wait in the feed.",
        "endpoint",
        "reason",
        "failing_since",
        "remedy",
    ),
    "endpoint.failed": _event(
        "warning",
        "An application has not accepted a webhook of ours, which is sent again. Logged at first, then about once an "
        "hour.",
        "endpoint",
        "reason",
        "attempts",
        "wait_seconds",
    ),
    "endpoint.recovered": _event(
        "info", "An application accepts our webhooks again; after how many attempts.", "endpoint", "attempts"
    ),
    "event.expired": _event(
        "warning",
        "Events older than the retention that change nothing, or have no contact, were counted but not stored.",
        "count",
    ),
    "event.failed": _event(
        "error",
        "An event could not be applied: a bug of ours, or a contact's row that cannot be read. Its whole delivery is "
        "set aside.",
    ),
    "event.unknown": _event(
        "warning",
        "An ESP sent an event name or bounce class that this version does not know. The event is kept as `other`.",
        "source",
        "provider",
        "vendor_event",
        "count",
    ),
    "events.converted": _event("info", "Events of a former version have today's shape now.", "events", "seconds"),
    "events.converting": _event("info", "As contacts.looked_at, for events.", "table", "events", "of_about"),
    "folder.opened": _event(
        "warning",
        "Other users may now enter a folder, because the embedded Postgres does not run as root.",
        "folder",
        "mode",
    ),
    "load.given_back": _event(
        "warning",
        "Postgres is away: what the processor could not store goes back to the queue and is lent again.",
        "queue",
        "parcels",
        "reason",
    ),
    "mail.fetched": _event(
        "info",
        "The queue has confirmed a mail of an IMAP mailbox. It is flagged, moved or deleted next.",
        "source",
        "provider",
        "uid",
        "body_bytes",
        "dkim_pass",
    ),
    "mail.passed_over": _event(
        "warning",
        "A mail cannot be queued and stays in its mailbox. Logged once while the process runs.",
        "source",
        "provider",
        "uid",
        "reason",
        "body_bytes",
    ),
    "mail.postponed": _event(
        "info",
        "The key of a mail's DKIM signature could not be looked up. The mail is fetched again later.",
        "source",
        "provider",
        "uid",
        "reason",
    ),
    "mailbox.emptied": _event(
        "info",
        "A mailbox has no more new mail. Logged if there was any.",
        "source",
        "queued",
        "postponed",
        "passed_over",
        "seconds",
    ),
    "mailbox.lost": _event(
        "warning",
        "An IMAP server is away, or refuses the login. Logged once a minute while it lasts.",
        "source",
        "reason",
        "wait_seconds",
    ),
    "mailbox.not_configured": _event(
        "warning", "No source has a mailbox, so this process waits: give one an imap_host, or do not start it."
    ),
    "mailbox.opened": _event(
        "info",
        "A mailbox on an IMAP server is open.",
        "source",
        "address",
        "folder",
        "mails",
        "idle",
    ),
    "package.installing": _event(
        "warning", "A program is missing on this machine: its Debian package is being installed.", "command"
    ),
    "parcel.failed": _event(
        "error",
        "A parcel could not be queued because of a bug of ours. Its webhooks are answered 503.",
        "envelopes",
    ),
    "parcel.parked": _event(
        "warning",
        "The broker did not confirm in time, so parcels go to Postgres. Logged for the first parcel only.",
        "reason",
    ),
    "parcel.published_again": _event(
        "warning",
        "The queue did not confirm a parcel, which is published again. Duplicates change nothing.",
        "envelopes",
        "detail",
    ),
    "parcel.tried": _event(
        "warning",
        "A parcel that a processor had when it died, or could not store, is tried alone: as a whole, then delivery by"
        " delivery. Another death would say which one it is.",
        "queue",
        "source",
        "parcel_bytes",
        "one_by_one",
    ),
    "parking.ended": _event("info", "The broker confirms again; how many parcels were parked.", "parcels", "seconds"),
    "parser.failed": _event(
        "error",
        "A provider failed to parse a delivery because of a bug of ours. The whole delivery is set aside.",
        "source",
        "provider",
    ),
    "partition.dropped": _event(
        "info",
        "A month of calm events older than the retention was dropped. Those that still matter are kept.",
        "month",
        "contacts",
        "kept_events",
    ),
    "partition.made": _event("info", "The partition for a month of events was made.", "month"),
    "process.restarted": _event(
        "warning",
        "A process of `bouncekeeper stack` ended by itself and is started again.",
        "role",
        "exit_code",
        "wait_seconds",
    ),
    "process.started": _event("info", "A process is ready for work.", "role", "version", "address"),
    "process.stopped": _event("info", "A process has finished its accepted work and ends.", "role", "seconds"),
    "raw.dropped": _event(
        "info",
        "What ESPs wrote of events that arrived more than `processor.keep_raw_days` ago was dropped; the events stay.",
        "events",
        "days",
    ),
    "recipients.dropped": _event(
        "info",
        "What became of campaigns' messages that were first told of over `processor.keep_recipients_days` ago was"
        " dropped.",
        "recipients",
        "days",
    ),
    "schema.returned": _event("info", "The database's tables are complete again: the processor goes on."),
    "schema.vanished": _event(
        "error",
        "Tables have vanished, as while a backup is restored: the processor disconnects until they are complete again.",
        "reason",
    ),
    "service.left_over": _event(
        "warning",
        "A local service of an earlier, killed run was still running and is ended.",
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
    "service.stopped": _event("info", "A local Postgres or RabbitMQ has ended.", "service", "signal"),
    "subscription.confirmed": _event(
        "info", "A vendor's subscription is confirmed: its webhooks come from now on.", "source", "topic"
    ),
    "task.failed": _event(
        "warning",
        "A background task of the processor failed and tries again after a pause.",
        "task",
        "reason",
        "wait_seconds",
    ),
    "unsubscribe.refused": _event(
        "warning",
        "Somebody opened an unsubscribe link whose token is not ours, was cut short, or was made with a secret that is "
        "not configured any longer. The token is not logged.",
        "reason",
        "detail",
        "http_status",
        "remote_address",
    ),
    "user.added": _event("info", "A system user was added for the embedded Postgres.", "user"),
    "webhook.accepted": _event(
        "info",
        "A webhook is authentic, the queue has confirmed it, and the answer is a success.",
        "source",
        "provider",
        "body_bytes",
        "http_status",
        "seconds",
        "remote_address",
    ),
    "webhook.answered": _event(
        "info",
        "An authentic request without an event (a handshake, a test) is answered. Nothing is queued.",
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
        "A webhook hit a bug of ours. The vendor is told to send it again.",
        "source",
        "provider",
        "body_bytes",
    ),
    "webhook.postponed": _event(
        "warning",
        "A webhook could not be stored. The vendor is told to send it again.",
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
        "A request is not authentic, too large, too slow or for an unknown source. Nothing is queued.",
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

LOG_EVENTS = dict(
    sorted((ACT_LOG_EVENTS | API_LOG_EVENTS | CONTACT_LOG_EVENTS | JOB_LOG_EVENTS | WORK_LOG_EVENTS).items())
)

"""The lines of what is stored and dropped: batches, events, dead letters, partitions, the schema."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

STORE_LOG_EVENTS: dict[str, LogEvent] = {
    "batch.applied": _event(
        "info",
        "A load of webhooks is committed, in one or more batches.",
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
        remedy="One now and then is harmless. If it comes with every batch, Postgres is in trouble: run "
        "`bouncekeeper doctor`, and read Postgres' log.",
    ),
    "database.replaced": _event(
        "warning",
        "A replica has taken over, or the database was restored. The processor forgets what it remembers "
        "of the database and begins anew.",
        "reason",
        remedy="Nothing, if the replica was synchronous. Else see what the last commits of the former server were, and "
        "[bring them back](failover-and-restore.md#what-an-asynchronous-replica-loses).",
    ),
    "database.upgraded": _event(
        "info", "`migrate` has brought the database up to date.", "migrations", "events", "renamed", "joined", "seconds"
    ),
    "delivery.set_aside": _event(
        "warning",
        "A webhook, or those of its events that could not be read, is kept unchanged in the "
        "[dead letters](operating.md#dead-letters).",
        "source",
        "provider",
        "reason",
        "detail",
        remedy="Look at it with `bouncekeeper dead-letters show ID`. Run `bouncekeeper sources try` on its body to see "
        "whether a newer version, or a corrected [description](providers/described.md), reads it; then replay it.",
    ),
    "event.expired": _event(
        "warning",
        "Events older than the retention that change nothing, or have no contact, were counted but not stored.",
        "count",
        remedy="Nothing, if old events are imported or sent again. Otherwise compare the ESP's clock with ours, or "
        "raise `processor.retention_months`.",
    ),
    "event.failed": _event(
        "error",
        "An event could not be applied: a bug of ours, or a contact's row that cannot be read. Its whole webhook goes "
        "to the [dead letters](operating.md#dead-letters).",
        remedy="Please report it, with the traceback in the line. After the fix run `bouncekeeper dead-letters replay "
        "ID`.",
    ),
    "event.unknown": _event(
        "warning",
        "An ESP sent an event name or bounce class that this version does not know. The event is kept as `other`, and "
        "changes no status.",
        "source",
        "provider",
        "vendor_event",
        "count",
        remedy="Check whether a newer version knows the word: `bouncekeeper sources try` shows what it makes of a "
        "body. If none does, report the word.",
    ),
    "events.converted": _event("info", "Events of a former version have today's shape now.", "events", "seconds"),
    "events.converting": _event(
        "info",
        "Events of a former version are brought into today's shape. Logged every few seconds.",
        "table",
        "events",
        "of_about",
    ),
    "parser.failed": _event(
        "error",
        "A provider failed to read a webhook because of a bug of ours. Those of its events that could not be read go "
        "to the [dead letters](operating.md#dead-letters).",
        "source",
        "provider",
        remedy="Please report it, with the traceback in the line. After the fix run `bouncekeeper dead-letters replay "
        "ID`.",
    ),
    "partition.dropped": _event(
        "info",
        "A month of calm events older than the retention was dropped. Those that still matter are kept.",
        "month",
        "contacts",
        "kept_events",
    ),
    "partition.made": _event("info", "The partition for a month of events was made.", "month"),
    "postgres.rejected": _event(
        "error",
        "Postgres does not let this process in (any more), or does not let it do its part. The process goes on as if "
        "Postgres were away, and asks again every few seconds.",
        "reason",
        remedy="Look at what was changed last: pg_hba.conf, the user, its password or its rights, or PgBouncer's list "
        "of users. Change it back, or write the new URL to postgres.url and start the process again. The line comes "
        "once a minute until Postgres lets it in.",
    ),
    "raw.dropped": _event(
        "info",
        "What ESPs wrote of events that arrived more than `processor.keep_raw_days` ago was dropped. The events stay.",
        "events",
        "days",
    ),
    "recipients.dropped": _event(
        "info",
        "What became of a campaign's messages is forgotten `processor.keep_recipients_days` after the first news of "
        "them.",
        "recipients",
        "days",
    ),
    "schema.returned": _event("info", "The database is complete and takes work again, and the processor goes on."),
    "schema.vanished": _event(
        "error",
        "Tables have vanished, as while a backup is restored. The processor disconnects until they are complete again.",
        "reason",
        remedy="Wait until the restore is done: the processor goes on by itself. If nobody restores a backup, run "
        "`bouncekeeper migrate --dry-run` to see what is missing.",
    ),
}

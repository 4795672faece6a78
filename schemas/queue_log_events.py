"""The lines of what carries webhooks and status changes: the queue, its consumers, and our own webhooks."""

from schemas.log_event import LogEvent
from schemas.log_event import log_event as _event

QUEUE_LOG_EVENTS: dict[str, LogEvent] = {
    "broker.connected": _event("info", "RabbitMQ is connected and its queues are declared.", "role", "address"),
    "broker.lost": _event(
        "warning",
        "The connection to RabbitMQ is lost or could not be opened. Nothing is lost and nothing is refused: Postgres "
        "keeps the webhooks. Logged once a minute while it lasts.",
        "role",
        "reason",
        "wait_seconds",
        remedy="Start or repair RabbitMQ; `bouncekeeper doctor` says what is wrong. Every process connects again by "
        "itself, and `parking.ended` says when webhooks go through RabbitMQ again.",
    ),
    "broker.misconfigured": _event(
        "error",
        "RabbitMQ answers but refuses what this process needs. Nothing is queued there until a person acts.",
        "role",
        "reason",
        "wait_seconds",
        remedy="`reason` names what RabbitMQ refuses: correct the user's rights, the virtual host or the policy. Then "
        "`bouncekeeper doctor` shows whether it is right.",
    ),
    "changes.published": _event("debug", "Status changes were published to the topic exchange.", "count", "seconds"),
    "consumer.resumed": _event(
        "info", "Postgres answers again, and the processor takes parcels from this queue again.", "queue", "seconds"
    ),
    "consumer.suspended": _event(
        "warning",
        "Postgres is away for longer than a restart takes. The processor gives back what it holds, and takes nothing.",
        "queue",
        "reason",
        remedy="Start or repair Postgres; `bouncekeeper doctor` says what is wrong. Processors go on by themselves.",
    ),
    "endpoint.disabled": _event(
        "error",
        "An application has accepted no webhook of ours for days, or answered 410. It gets no more until a person "
        "enables it again. Changes wait in the feed.",
        "endpoint",
        "reason",
        "failing_since",
        "remedy",
        remedy="Mend the application, then run `bouncekeeper endpoints enable NAME`.",
    ),
    "endpoint.failed": _event(
        "warning",
        "An application has not accepted a [webhook](consuming.md#webhooks) of ours. It is sent again, and later "
        "changes wait. Logged at first, then about once an hour.",
        "endpoint",
        "reason",
        "attempts",
        "wait_seconds",
        remedy="Look at the application: `bouncekeeper endpoints list` shows since when it fails. After days "
        "`endpoint.disabled` asks for a person.",
    ),
    "endpoint.recovered": _event("info", "An application accepts our webhooks again.", "endpoint", "attempts"),
    "load.given_back": _event(
        "warning",
        "Postgres is away. What the processor could not store goes back to the queue, and comes again.",
        "queue",
        "parcels",
        "reason",
        remedy="Start or repair Postgres; `bouncekeeper doctor` says what is wrong. Nothing is lost meanwhile.",
    ),
    "parcel.parked": _event(
        "warning",
        "The broker did not confirm in time, so parcels go to Postgres. Logged for the first parcel only.",
        "reason",
        remedy="Start or repair RabbitMQ; `bouncekeeper doctor` says what is wrong. `parking.ended` follows by itself.",
    ),
    "parcel.tried": _event(
        "warning",
        "A processor died with this parcel in hand, or could not store it while Postgres answered. The parcel is tried "
        "alone: as a whole, then webhook by webhook.",
        "queue",
        "source",
        "parcel_bytes",
        "one_by_one",
        remedy="If a webhook of it is to blame, `bouncekeeper dead-letters list` shows that one as `stops_workers`: "
        "report it. If processors die without that, look at their memory limits.",
    ),
    "parking.ended": _event(
        "info", "The broker confirms again; `parcels` were parked meanwhile.", "parcels", "seconds"
    ),
}
